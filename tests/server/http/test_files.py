"""Files as they are: up as HDF5 or in a form, compressed or not; down whole, in ranges, in parts."""

import base64
import gzip
import io

import h5py
import numpy as np
import orjson
import pandas as pd
import pytest
import zstandard

from photseries.client.payload import is_of
from photseries.formats import WRITERS, ReadOptions, one_of, read_bytes
from photseries.hdf5 import stored_file
from photseries.lightcurve.digest import content_hash
from photseries.server.http.media import parse_form
from tests.server.http.test_errors import check_error
from tests.server.http.test_series import patch, post
from tests.support import TESS, columns, recipe_base64, recipe_read, recipe_write

PATH = "/api/photometric_series"
H5 = {"Content-Type": "application/x-hdf5"}


@pytest.fixture(scope="module")
def stored(admin, world):
    """A series, its file as it is stored, and the frame in it."""
    fields = {"obj_id": world.source, "instrument_id": world.instrument}
    answer = admin.post(PATH, params=fields, content=TESS.read_bytes(), headers=H5)
    assert answer.status_code == 200, answer.text
    series = answer.json()["data"]["id"]
    text = admin.get(f"{PATH}/{series}", params={"dataFormat": "hdf5"}).json()["data"]["data"]
    content = base64.b64decode(text)
    return series, content, recipe_read(content)[0]


def test_hdf5_file_is_accepted_as_body(admin, stored):
    series, _, frame = stored
    expected, metadata = recipe_read(TESS.read_bytes())
    assert frame.equals(expected)
    found = admin.get(f"{PATH}/{series}?dataFormat=none").json()["data"]
    assert found["series_obj_id"] == str(metadata["series_obj_id"])


def test_fields_in_the_query_have_their_types(admin, world):
    params = {
        "obj_id": world.source, "instrument_id": world.instrument, "series_obj_id": "0123", "channel": "7",
        "limiting_mag": "20.5", "altdata": '{"a": [1, 2]}', "group_ids": f"{world.crew}",
    }  # fmt: skip
    answer = admin.post(PATH, params=params, content=TESS.read_bytes(), headers=H5)
    assert answer.status_code == 200, answer.text
    found = admin.get(f"{PATH}/{answer.json()['data']['id']}?dataFormat=none").json()["data"]
    assert (found["series_obj_id"], found["channel"]) == ("0123", "7")
    assert (found["limiting_mag"], found["altdata"]) == (20.5, {"a": [1, 2]})
    assert world.crew in found["group_ids"]
    check_error(admin.post(PATH, params={**params, "colour": "red"}, content=TESS.read_bytes(), headers=H5), 400)


def test_form_upload_is_accepted(admin, world, stored):
    fields = {"obj_id": world.source, "instrument_id": str(world.instrument), "origin": "a form"}
    files = {"file": ("light curve.h5", TESS.read_bytes())}
    answer = admin.post(PATH, data=fields, files=files)
    assert answer.status_code == 200, answer.text
    assert admin.get(f"{PATH}/{answer.json()['data']['id']}/data").content[:4] == b"\x89HDF"
    check_error(admin.post(PATH, data=fields, files=[("a", b"1"), ("b", b"2")]), 400)
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    check_error(admin.post(PATH, content=b"--y\r\nnothing", headers=broken), 400)
    latin = b'--x\r\nContent-Disposition: form-data; name="file"; filename="\xe9.h5"\r\n\r\nabc\r\n--x--\r\n'
    check_error(admin.post(PATH, content=latin, headers=broken), 400)


@pytest.mark.parametrize("boundary", ["x", '"a b"', '"<<<---STILTS--->>>"'])
def test_forms_of_any_boundary_are_parsed(boundary):
    line = b"--" + boundary.strip('"').encode()
    part = b'Content-Disposition: form-data; name="QUERY"\r\n\r\nSELECT 1'
    form = b"\r\n".join([b"", line, part, line + b"--", b""])
    assert parse_form(f"multipart/form-data; boundary={boundary}", form) == ({"QUERY": [b"SELECT 1"]}, {})


@pytest.mark.slow
@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_compressed_bodies(admin, world, compress):
    name = compress.__module__.split(".")[0].replace("zstandard", "zstd")
    headers = {"Content-Encoding": name, "Content-Type": "application/json"}
    body = orjson.dumps(world.fields(series_name=f"compressed by {name}", data=columns()))
    answer = admin.post(PATH, content=compress(body), headers=headers)
    assert answer.status_code == 200, answer.text
    series = answer.json()["data"]["id"]
    assert admin.get(f"{PATH}/{series}").json()["data"]["data"] == columns()
    change = compress(orjson.dumps({"origin": "changed"}))
    assert admin.patch(f"{PATH}/{series}", content=change, headers=headers).status_code == 200
    for content in (b"not compressed", compress(body)[:-20], b""):
        check_error(admin.post(PATH, content=content or b"x", headers=headers), 400)
    two = admin.post(PATH, content=compress(body[:50]) + compress(body[50:]), headers=headers)
    assert two.status_code == {"gzip": 400, "zstd": 200}[name], two.text
    check_error(admin.post(PATH, content=compress(body) + b"garbage", headers=headers), 400)
    bomb = compress(bytes(500 * 1024 * 1024))
    check_error(admin.post(PATH, content=bomb, headers=headers), 413, "too_large")
    headers["Content-Encoding"] = "br"
    check_error(admin.post(PATH, content=body, headers=headers), 415)
    check_error(admin.post(PATH, headers=headers), 400)
    headers["Content-Encoding"] = name
    check_error(admin.post("/api/groups", content=compress(b'{"name": "x"}'), headers=headers), 415)


def test_stored_file_is_served(admin, stored):
    series, content, _ = stored
    answer = admin.get(f"{PATH}/{series}/data")
    assert answer.content == content
    assert answer.headers["Content-Type"] == "application/x-hdf5"
    assert answer.headers["Content-Disposition"].endswith(f"_{series}.h5")
    with h5py.File(io.BytesIO(answer.content)) as file:
        assert list(file) == ["phot_series"]
    tag = {"If-None-Match": answer.headers["ETag"]}
    again = admin.get(f"{PATH}/{series}/data", headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    check_error(admin.get(f"{PATH}/999999/data"), 404)


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("0-9", 0, 10), ("10-", 10, None), ("-10", -10, None), ("100-99999999", 100, None), ("0-0", 0, 1)],
)
def test_byte_ranges_are_served(admin, stored, asked, start, stop):
    series, content, _ = stored
    answer = admin.get(f"{PATH}/{series}/data", headers={"Range": f"bytes={asked}"})
    assert answer.status_code == 206
    assert answer.content == content[start:stop]
    first = start % len(content)
    assert answer.headers["Content-Range"] == f"bytes {first}-{first + len(answer.content) - 1}/{len(content)}"


def test_invalid_ranges_are_ignored_or_refused(admin, stored):
    series, content, _ = stored
    path = f"{PATH}/{series}/data"
    beyond = admin.get(path, headers={"Range": f"bytes={len(content)}-"})
    check_error(beyond, 416, "range")
    assert beyond.headers["Content-Range"] == f"bytes */{len(content)}"
    for ignored in ("lines=1-2", "bytes=0-1,5-6", "bytes=-", "bytes=a-b"):
        assert admin.get(path, headers={"Range": ignored}).content == content
    changed = admin.get(path, headers={"Range": "bytes=0-9", "If-Range": '"1.99.h5"'})
    assert (changed.status_code, changed.content) == (200, content)


def part(admin, series, **params):
    """The same part of a table by all ways, as a frame."""
    as_json = admin.get(f"{PATH}/{series}", params=params).json()["data"]["data"]
    file = admin.get(f"{PATH}/{series}/data", params=params).content
    wrapped = admin.get(f"{PATH}/{series}", params={**params, "dataFormat": "hdf5"}).json()["data"]["data"]
    assert base64.b64decode(wrapped) == file
    frame = stored_file.decode(file).frame
    assert list(as_json) == list(frame.columns)
    for name, values in as_json.items():
        expected = frame[name].to_numpy(float)
        assert np.allclose(np.array(values, float), np.where(np.isfinite(expected), expected, np.nan), equal_nan=True)
    return frame


def test_parts_of_a_table(admin, stored):
    series, _, frame = stored
    assert part(admin, series, columns="mjd,flux").equals(frame[["mjd", "flux"]])
    assert part(admin, series, rowMin=5, rowMax=9).equals(frame.iloc[5:10].reset_index(drop=True))
    low, high = frame["mjd"].quantile([0.2, 0.3]).tolist()
    between = frame[(frame["mjd"] >= low) & (frame["mjd"] <= high)].reset_index(drop=True)
    assert part(admin, series, mjdMin=low, mjdMax=high).equals(between)
    few = part(admin, series, maxPoints=200)
    assert len(few) <= 200
    assert admin.get(f"{PATH}/{series}", params={"maxPoints": 200}).json()["data"]["data_rows"] == 18_300
    finite = frame[np.isfinite(frame["flux"]) & np.isfinite(frame["mjd"])]
    assert few["flux"].min() == finite["flux"].min()
    assert few["flux"].max() == finite["flux"].max()
    derived = part(admin, series, columns="mjd", derive="mag,snr")
    assert list(derived.columns) == ["mjd", "mag", "snr"]
    positive = frame["flux"].to_numpy(float) > 0
    expected = 23.9 - 2.5 * np.log10(frame["flux"].to_numpy(float)[positive])
    assert np.allclose(derived["mag"].to_numpy()[positive], expected, equal_nan=True)


@pytest.mark.parametrize("step", [0, 5e-324], ids=["one time", "times next to each other"])
def test_few_points_of_times_that_hardly_differ(admin, world, step):
    data = {"mjd": (np.arange(5000) * step).tolist(), "flux": np.arange(5000.0).tolist()}
    body = world.fields(series_name=f"steps of {step}", data=data)
    told = admin.post(PATH, params={"dryRun": "true", "maxPoints": 100}, json=body).json()["data"]
    assert len(told["light_curve"]["flux"]) == 100
    series = admin.post(PATH, json=body).json()["data"]["id"]
    assert part(admin, series, maxPoints=100)["flux"].iloc[[0, -1]].tolist() == [0, 4999]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"columns": "mjd,colour"}, "no column 'colour'"),
        ({"mjdMin": "99999"}, "No row"),
        ({"maxPoints": "3"}, "at least 4"),
        ({"derive": "colour"}, "one or more of mag"),
        ({"rowMin": "-1"}, "an integer from 0"),
        ({"part": "half"}, "Unknown parameter"),
    ],
    ids=str,
)
def test_invalid_parts_are_refused(admin, stored, params, message):
    for path in (f"{PATH}/{stored[0]}/data", f"{PATH}/{stored[0]}"):
        assert message in check_error(admin.get(path, params=params), 400)["message"]


def test_one_content_has_one_hash_whatever_the_unit_of_its_times(admin, world):
    def stored(content, origin):
        params = {name: str(value) for name, value in world.fields(series_name="times", origin=origin).items()}
        answer = admin.post(PATH, params=params, content=content, headers=H5)
        assert answer.status_code == 200, answer.text
        series = answer.json()["data"]["id"]
        hashed = admin.get(f"{PATH}/{series}?dataFormat=none").json()["data"]["content_hash"]
        return admin.get(f"{PATH}/{series}/data").content, hashed

    frame = pd.DataFrame(columns(3))
    frame["at"] = np.array(["2026-11-21T04:30", "NaT", "2026-11-22"], "M8[us]")
    frame["took"] = np.array([1, 2, "NaT"], "m8[s]")
    frame = frame.set_index(pd.DatetimeIndex(["2026-11-21", "2026-11-22", "2026-11-23"]).as_unit("ms"))
    file, hashed = stored(recipe_write(frame, {}), "microseconds")
    found = recipe_read(file)[0]
    assert found.equals(frame.astype({"at": "M8[ns]", "took": "m8[ns]"}))
    assert hashed == content_hash(found) == stored(file, "downloaded")[1]
    assert is_of(hashed, one_of(read_bytes(recipe_write(frame, {}), "curve.h5", ReadOptions())))


def test_times_that_nanoseconds_do_not_hold_are_refused(admin, world):
    frame = pd.DataFrame(columns(2)).assign(at=np.array(["1600-01-01", "2026-01-01"], "M8[s]"))
    body = world.fields(series_name="early", data=recipe_base64(frame, {}))
    for params in ({}, {"dryRun": "true"}):
        assert (
            "contains times outside 1677-2262"
            in check_error(admin.post(PATH, params=params, json=body), 400)["message"]
        )


def test_a_dry_run_stores_nothing(admin, world):
    before = admin.get(PATH, params={"numPerPage": 1}).json()["data"]["totalMatches"]
    data = columns(20)
    data["mjd"].reverse()
    body = world.fields(series_name="dry", data=data, ra=11.0)
    data["fluxerr"][3:5] = [0.0, -1.0]
    data["mag"] = [18.0, 99.999, -99.0] + [18.0] * 17
    told = admin.post(PATH, params={"dryRun": "true", "maxPoints": 4}, json=body).json()["data"]
    assert sorted(told["light_curve"]) == ["flux", "fluxerr", "mag", "magerr", "mjd"]
    assert len(told["light_curve"]["mjd"]) == 4
    assert told["metadata"]["series_name"] == "dry"
    assert told["sources"]["ra"] == "body"
    assert told["columns"] == dict.fromkeys(("mjd", "flux", "fluxerr", "mag"), "float64")
    assert told["statistics"]["num_exp"] == 20
    warnings = " ".join(told["warnings"])
    for sign in ("order of time", "arcsec", "2 of 20 values in the column 'mag'", "2 of 20 errors"):
        assert sign in warnings
    assert admin.get(PATH, params={"numPerPage": 1}).json()["data"]["totalMatches"] == before
    told = admin.post(
        PATH,
        params={"dryRun": "true", "obj_id": world.source, "instrument_id": 7},
        content=TESS.read_bytes(),
        headers=H5,
    ).json()["data"]
    assert (told["sources"]["obj_id"], told["sources"]["filter"]) == ("body", "file")
    check_error(admin.post(PATH, params={"dryRun": "true"}, json={**body, "ra": 500}), 400)


@pytest.mark.parametrize("how", ["json", "hdf5", "dry run", "patch", "append"])
def test_times_that_are_not_mjd_and_several_filters_are_refused(admin, world, how):
    data, bad = ({**columns(10, seed=seed), "filter": ["ztfg"] * 10} for seed in (0, 1))
    bad["mjd"] = [time + 2_400_000.5 for time in bad["mjd"]]
    bad["filter"] = ["ztfg"] * 7 + ["ztfr"] * 3
    fields = world.fields(series_name=f"refused {how}")
    path, verb, body, params = PATH, "POST", {**fields, "data": bad}, {}
    if how in ("patch", "append"):
        path = f"{PATH}/{admin.post(PATH, json={**fields, 'data': data}).json()['data']['id']}"
        body, verb = {"data": bad}, "PATCH" if how == "patch" else "POST"
    before = admin.get(PATH, params={"seriesName": fields["series_name"]}).json()["data"]
    if how == "append":
        path += "/append"
    elif how == "hdf5":
        body["data"] = recipe_base64(pd.DataFrame(bad), {})
    elif how == "dry run":
        params = {"dryRun": "true"}
    refused = check_error(admin.request(verb, path, params=params, json=body), 400)
    assert set(refused["data"]["fields"]) == {"data.mjd", "data.filter"}
    assert "not MJD" in refused["message"]
    assert "They look like Julian dates" in refused["message"]
    counts = "'ztfg' (17 rows)" if how == "append" else "'ztfg' (7 rows)"
    assert f"must contain the same filter for all rows; 'filter' has {counts}, 'ztfr' (3 rows)." in refused["message"]
    assert admin.get(PATH, params={"seriesName": fields["series_name"]}).json()["data"] == before


@pytest.mark.parametrize("how", ["json", "hdf5"])
def test_every_upload_answers_with_warnings(admin, world, how):
    def sent(rows):
        frame = pd.DataFrame(rows)
        if how == "json":
            return rows
        return recipe_base64(frame.assign(mjd=frame["mjd"].astype("float32")), {})

    first, second = columns(10), columns(10, seed=1)
    second["mjd"] = [time + 0.02 for time in second["mjd"]]
    first["fluxerr"][2] = second["fluxerr"][5] = 0.0
    first["filter"] = second["filter"] = ["ztfr"] * 10
    body = world.fields(series_name=f"warned {how}", data=sent(first))
    dry = admin.post(PATH, params={"dryRun": "true"}, json=body).json()["data"]["warnings"]
    created = admin.post(PATH, json=body).json()["data"]
    path = f"{PATH}/{created['id']}"
    appended = admin.post(f"{path}/append", json={"data": sent(second)}).json()["data"]
    patched = admin.patch(path, json={"data": sent(second), "filter": "ztfg"}).json()["data"]
    assert created["warnings"] == dry == appended["warnings"] == patched["warnings"]
    warnings = " ".join(dry)
    assert "1 of 10 errors in the column 'fluxerr' are zero or negative" in warnings
    assert "The column 'filter' is 'ztfr', but filter='ztfg' was given, which is used." in warnings
    assert ("The times are float32, which has steps of 338 s" in warnings) == (how == "hdf5")
    assert admin.get(path).json()["data"]["filter"] == "ztfg"
    repeated = admin.post(f"{path}/append", params={"repeats": "drop"}, json={"data": sent(second)}).json()["data"]
    assert repeated == {"id": created["id"], "warnings": []}


def test_rows_are_appended(admin, world):
    first, second = columns(10), columns(10, seed=1)
    second["mjd"] = [time + 1 for time in second["mjd"]]
    series = admin.post(PATH, json=world.fields(series_name="growing", data=first)).json()["data"]["id"]
    path = f"{PATH}/{series}"
    before = admin.get(path, params={"dataFormat": "none"})
    answer = admin.post(f"{path}/append", json={"data": second}, headers={"If-Match": before.headers["ETag"]})
    assert answer.status_code == 200, answer.text
    after = admin.get(path).json()["data"]
    assert after["data"] == {name: first[name] + second[name] for name in first}
    assert (after["num_exp"], after["revision"]) == (20, 2)
    assert after["mjd_last"] == max(second["mjd"])
    assert admin.get(f"{path}/history").json()["data"]["history"][-1]["action"] == "update"
    refused = check_error(admin.post(f"{path}/append", json={"data": second}), 400)
    assert "10 of the 10 new rows" in refused["message"]
    assert admin.post(f"{path}/append", params={"repeats": "drop"}, json={"data": second}).status_code == 200
    assert admin.get(path).json()["data"]["num_exp"] == 20
    check_error(admin.post(f"{path}/append", json={"data": second}, headers={"If-Match": before.headers["ETag"]}), 412)


def test_an_append_infers_again_what_was_inferred_and_keeps_what_was_given(admin, world):
    def rows(start, exptime, lim_mag, ra, dec):
        shared = {"exptime": [exptime] * 4, "lim_mag": [lim_mag] * 4, "ra": [ra] * 4, "dec": [dec] * 4}
        return {**columns(4), "mjd": [start + step for step in range(4)], **shared}

    first, second = rows(60000.0, 10.0, 20.0, 10.0, -20.0), rows(60010.0, 30.0, 21.0, 10.0002, -20.0002)
    keys = ("exp_time", "limiting_mag", "ra", "dec")
    given = {"exp_time": 11.0, "limiting_mag": 19.0, "ra": 10.0001, "dec": -20.0001}
    medians = {"exp_time": 20.0, "limiting_mag": 20.5, "ra": 10.0001, "dec": -20.0001}

    def after_append(name, **fields):
        body = {name: value for name, value in world.fields().items() if name not in keys}
        number = admin.post(PATH, json={**body, "series_name": name, "data": first, **fields}).json()["data"]["id"]
        # A change of something else does not make inferred values given ones.
        assert admin.patch(f"{PATH}/{number}", json={"channel": "b"}).status_code == 200
        assert admin.post(f"{PATH}/{number}/append", json={"data": second}).status_code == 200
        found = admin.get(f"{PATH}/{number}", params={"dataFormat": "none"}).json()["data"]
        return number, {key: found[key] for key in keys}

    assert after_append("all inferred")[1] == pytest.approx(medians)
    assert after_append("all given", **given)[1] == given
    number, found = after_append("some given", exp_time=11.0)
    assert found == pytest.approx({**medians, "exp_time": 11.0})
    changed = admin.get(f"{PATH}/{number}/history").json()["data"]["history"][-1]["changed"]
    assert changed["limiting_mag"] == {"from": 20.0, "to": 20.5}
    # Now it is given, and the next append keeps it.
    assert admin.patch(f"{PATH}/{number}", json={"limiting_mag": 18.0}).status_code == 200
    third = rows(60020.0, 50.0, 22.0, 10.0002, -20.0002)
    assert admin.post(f"{PATH}/{number}/append", json={"data": third}).status_code == 200
    found = admin.get(f"{PATH}/{number}", params={"dataFormat": "none"}).json()["data"]
    assert (found["limiting_mag"], found["exp_time"], found["ra"]) == (18.0, 11.0, 10.0002)


def test_what_the_service_gave_as_json_can_be_appended(admin, world):
    frame = pd.DataFrame(columns(4)).astype({"flux": "f4", "fluxerr": "f2"})
    frame["flux"] += np.array(0.1, "f4")
    frame["at"] = np.array(["2026-11-21T04:30:00.123456789", "NaT", "2026-11-22", "2026-11-23"], "M8[ns]")
    frame = frame.assign(flag=np.array([1, 2, 3, 4], "i2"), good=[True, False, True, True], note=["a", None, "b", ""])
    whole, growing = (
        admin.post(PATH, json=world.fields(series_name=name, data=recipe_base64(rows, {}))).json()["data"]["id"]
        for name, rows in (("whole", frame), ("by and by", frame.iloc[:1]))
    )
    given = admin.get(f"{PATH}/{whole}").json()["data"]["data"]
    for params in ({"repeats": "drop"}, {"repeats": "drop"}):
        answer = admin.post(f"{PATH}/{growing}/append", params=params, json={"data": given})
        assert answer.status_code == 200, answer.text
    found = [
        admin.get(f"{PATH}/{series}?dataFormat=none").json()["data"]["content_hash"] for series in (whole, growing)
    ]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"data": {"mjd": [1.0], "flux": [1.0]}}, "'fluxerr' is missing"),
        ({"data": {**columns(1), "more": [1]}}, "no column 'more'"),
        ({"data": {"mjd": [1.0], "flux": ["a"], "fluxerr": [1.0]}}, "'flux' is float64"),
        ({"data": columns(1), "origin": "x"}, "Only data can be appended"),
        ({}, "Must supply data"),
    ],
    ids=str,
)
def test_incompatible_rows_are_refused(admin, world, body, message):
    name = f"unfit {message}".replace("'", "")
    series = admin.post(PATH, json=world.fields(series_name=name, data=columns(3))).json()["data"]["id"]
    assert message in check_error(admin.post(f"{PATH}/{series}/append", json=body), 400)["message"]
    assert admin.get(f"{PATH}/{series}").json()["data"]["revision"] == 1


@pytest.mark.parametrize("form", [form for form in WRITERS.values() if form.is_installed], ids=lambda form: form.name)
def test_an_earlier_revision_in_every_format(service, admin, world, form):
    """The answer is what the series gave when it was at that revision."""
    with service.client(world.tokens["anna"]) as anna, service.client(world.tokens["ben"]) as ben:
        series = post(anna, world, channel="a", group_ids=[world.crew])
        address = f"/api/photometric_series/{series}.{form.extension}"
        old, part = (anna.get(address, params=more).content for more in ({}, {"rowMax": 3, "columns": "mjd,flux"}))
        patch(anna, series, channel="b", data=columns(20, seed=5))
        assert anna.get(address).content != old
        now = anna.get(address, params={"revision": 2})
        assert now.content == anna.get(address).content
        answer = anna.get(address, params={"revision": 1})
        assert answer.content == old
        assert answer.headers["ETag"].startswith(f'"{series}.1.{form.extension}.')
        assert (
            anna.get(address, params={"revision": 1}, headers={"If-None-Match": answer.headers["ETag"]}).status_code
            == 304
        )
        again = anna.get(f"/api/photometric_series/{series}/data", params={"revision": 1, "format": form.name})
        assert again.content == old
        assert anna.get(address, params={"revision": 1, "rowMax": 3, "columns": "mjd,flux"}).content == part
        assert anna.get(address, params={"revision": 1}, headers={"Range": "bytes=5-9"}).content == old[5:10]
        check_error(ben.get(address, params={"revision": 1}), 403)
        anna.delete(f"/api/photometric_series/{series}")
        assert anna.get(address, params={"revision": 1}).content == old
        check_error(anna.get(address, params={"revision": 9}), 404)
