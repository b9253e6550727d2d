"""Series through HTTP: create, find, change, remove."""

import base64
import contextlib
import http.client
import itertools
import json
import time
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pytest

from photseries.fields import ANSWERED, FEATURES, FIELDS, PERIOD
from photseries.hdf5 import stored_file
from tests.forked import ForkedService
from tests.support import PATIENCE, columns, recipe_read
from tests.world import World

_names = itertools.count()


def post(client, world, **fields):
    body = world.fields(**{"data": columns(), "series_name": f"series/{next(_names)}", **fields})
    answer = client.post("/api/photometric_series", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["id"]


def get(client, series, **params):
    answer = client.get(f"/api/photometric_series/{series}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def patch(client, series, **body):
    answer = client.patch(f"/api/photometric_series/{series}", json=body)
    assert answer.status_code == 200, answer.text
    found = answer.json()["data"]
    assert found["id"] == series
    return found["warnings"]


# The fields of DESIGN 5.
DOCUMENTED = [
    "id",
    "created_at",
    "modified",
    "obj_id",
    "instrument_id",
    "series_name",
    "series_obj_id",
    "ra",
    "dec",
    "exp_time",
    "filter",
    "statistics_version",
    "batch",
    "group_ids",
    "stream_ids",
    "channel",
    "origin",
    "limiting_mag",
    "magref",
    "e_magref",
    "ref_flux",
    "ref_fluxerr",
    "ra_unc",
    "dec_unc",
    "followup_request_id",
    "assignment_id",
    "time_stamp_alignment",
    "altdata",
    "column_units",
    "flag_column",
    "good_values",
    "num_flagged",
    "time_scale",
    "time_refpos",
    "flux_unit",
    "magsys",
    "brightness",
    "owner_id",
    "groups",
    "streams",
    "filename",
    "hash",
    "content_hash",
    "revision",
    "num_exp",
    "num_detected",
    "mean_flux",
    "rms_flux",
    "robust_flux",
    "robust_rms_flux",
    "mjd_first",
    "mjd_mid",
    "mjd_last",
    "mag_first",
    "mag_last",
    "mjd_last_detected",
    "mag_last_detected",
    "is_detected",
    "mean_mag",
    "rms_mag",
    "robust_mag",
    "robust_rms",
    "median_snr",
    "best_snr",
    "worst_snr",
    "frame_rate",
    "medians",
    "minima",
    "maxima",
    "stds",
]


def test_answers_have_the_documented_fields(admin, world):
    series = post(admin, world)
    assert sorted(get(admin, series)) == sorted([*DOCUMENTED, *FEATURES, *PERIOD, "data"])
    assert list(get(admin, series, dataFormat="none")) == [*ANSWERED, "data"]


def test_every_metadata_field_survives_the_round_trip(admin, world):
    followup = world.make("followup_request", obj_id=world.source)
    assignment = world.make("assignment")
    fields = {
        "channel": "blue 1",
        "origin": "pipeline@v2",
        "limiting_mag": 20.5,
        "magref": 18.123456789,
        "e_magref": 0.0123,
        "ra_unc": 1e-5,
        "dec_unc": 2e-5,
        "followup_request_id": followup,
        "assignment_id": assignment,
        "time_stamp_alignment": "start",
        "time_scale": "tdb",
        "time_refpos": "barycenter",
        "altdata": {"seeing": [1.2, None], "é": {"b": 1.7e308, "a": 2**60}},
        "series_name": "a\\b/c d.e",
    }
    data = get(admin, post(admin, world, **fields))
    assert {name: data[name] for name in fields} == {**fields, "series_name": "a/b/c d.e"}
    assert list(data["altdata"]["é"]) == ["b", "a"]
    assert data["ref_flux"] == pytest.approx(10 ** (-0.4 * (18.123456789 - 23.9)), rel=1e-12)
    assert data["owner_id"] == 1


def test_dtypes_of_json_columns(admin, world):
    table = {
        "mjd": [1, 2, 3],
        "flux": [1.5, None, 2],
        "empty": [None, None, None],
        "flag": [True, False, True],
        "note": ["a", None, "nan"],
        "count": [1, 2, 2**53 + 1],
    }
    series = post(admin, world, data=table)
    assert get(admin, series)["data"] == table
    frame, _ = recipe_read(base64.b64decode(get(admin, series, dataFormat="hdf5")["data"]))
    kinds = {name: column.dtype.kind for name, column in frame.items()}
    assert kinds == {"mjd": "i", "flux": "f", "empty": "f", "flag": "b", "note": "O", "count": "i"}
    assert frame["count"].dtype == np.int64


def test_output_is_always_valid_json(admin, world):
    table = {"mjd": [1.0, 2.0], "flux": [-1.0, -2.0], "huge": [1.7e308, -1.7e308]}
    answer = admin.get(f"/api/photometric_series/{post(admin, world, data=table)}")

    def refuse(name):
        raise AssertionError(name)

    data = json.loads(answer.content, parse_constant=refuse)["data"]
    assert data["mean_mag"] is None
    assert data["is_detected"] is False
    assert data["maxima"]["huge"] == 1.7e308


def test_sentinel_magnitudes_count_as_absent(admin, world):
    table = {"mjd": [59000.0, 59001.0, 59002.0, 59003.0], "mag": [18.0, 99.999, -99.0, 19.0], "magerr": [0.1] * 4}
    series = post(admin, world, data=table)
    data = get(admin, series, derive="flux,snr")
    assert data["data"]["mag"] == table["mag"], "the table is as it came"
    assert (data["mean_mag"], data["rms_mag"], data["num_detected"]) == (18.5, 0.5, 2)
    assert (data["minima"]["mag"], data["maxima"]["mag"], data["medians"]["mag"]) == (18.0, 19.0, 18.5)
    assert data["data"]["flux"][1:3] == data["data"]["snr"][1:3] == [None, None]
    assert data["data"]["flux"][::3] == pytest.approx([10 ** (0.4 * 5.9), 10 ** (0.4 * 4.9)], rel=1e-12)
    assert data["data"]["snr"][::3] == pytest.approx([2.5 / np.log(10) / 0.1] * 2, rel=1e-12)
    answer = admin.post("/api/photometric_series", json=world.fields(data={**table, "mag": [99.0, 99.9, -99.0, 100.0]}))
    assert answer.status_code == 400
    assert "no measured value: magnitudes of 40 or more, or -40 or less" in answer.json()["message"]


def test_a_variable_star_is_detected_and_found(admin, world):
    flux = [1000.0 if row % 5 == 0 else 2.0 for row in range(500)]
    table = {"mjd": list(range(59000, 59500)), "flux": flux, "fluxerr": [5.0] * 500}
    series = post(admin, world, series_name="variable", data=table)
    data = get(admin, series, dataFormat="none")
    assert (data["best_snr"], data["num_detected"], data["is_detected"]) == (200.0, 100, True)
    assert (data["mjd_last_detected"], data["worst_snr"], data["median_snr"]) == (59495.0, 0.4, 0.4)
    for criteria, is_found in (
        ({"minNumDetected": 100, "detected": "true", "minBestSNR": 199}, True),
        ({"minMedianSNR": 0.5}, False),
    ):
        params = {"seriesName": "variable", **criteria}
        found = admin.get("/api/photometric_series", params=params).json()["data"]["series"]
        assert [one["id"] for one in found] == [series] * is_found


def test_peer_20_other_filter_channel_origin_are_other_series(admin, world):
    same = {"series_name": "unique", "data": columns()}
    ids = {
        post(admin, world, **same),
        post(admin, world, **same, filter="ztfr"),
        post(admin, world, **same, channel="a_b"),
        post(admin, world, **same, channel="a", origin="b"),
        post(admin, world, **same, obj_id=world.other_source),
        post(admin, world, **same, series_obj_id="2"),
    }
    assert len(ids) == 6
    files = {get(admin, series, dataFormat="none")["filename"] for series in ids}
    assert len(files) == 6
    again = admin.post("/api/photometric_series", json=world.fields(**same, channel="a_b"))
    assert again.status_code == 409
    assert again.json()["data"]["key"]["channel"] == "a_b"


def test_a_duplicate_that_is_not_visible_is_not_named(service, admin, world):
    series = post(admin, world, series_name="hidden duplicate")
    with service.client(world.tokens["olga"]) as olga:
        answer = olga.post("/api/photometric_series", json=world.fields(data=columns(), series_name="hidden duplicate"))
    assert answer.status_code == 409
    assert "id" not in answer.json()["data"]
    assert str(series) not in answer.json()["message"].split()


def test_the_owner_always_keeps_access(service, world):
    with service.client(world.tokens["anna"]) as anna:
        series = post(anna, world, group_ids=world.crew)
        patch(anna, series, group_ids=[], stream_ids=[])
        data = get(anna, series)
        assert data["stream_ids"] == []
        assert [group["single_user_group"] for group in data["groups"]] == [True]
        patch(anna, series, group_ids="all")
    with service.client(world.tokens["olga"]) as olga:
        assert [group["name"] for group in get(olga, series)["groups"]] == ["Sitewide Group"]


def test_patch_of_sharing_writes_no_file(admin, world):
    series = post(admin, world)
    before = get(admin, series)
    patch(admin, series, group_ids=[world.crew], stream_ids=[world.feed])
    after = get(admin, series)
    assert {name for name in before if before[name] != after[name]} == {
        "group_ids",
        "groups",
        "stream_ids",
        "streams",
        "revision",
        "modified",
    }
    assert after["revision"] == before["revision"] + 1


def test_patch_of_metadata(admin, world):
    series = post(admin, world, magref=18.0, e_magref=0.1, channel="c")
    before = get(admin, series)
    patch(admin, series, exp_time=30, altdata={"a": 1}, magref=17.0)
    after = get(admin, series, dataFormat="hdf5")
    assert (after["exp_time"], after["altdata"], after["magref"], after["e_magref"]) == (30.0, {"a": 1}, 17.0, 0.1)
    assert after["ref_flux"] == pytest.approx(before["ref_flux"] * 10**0.4, rel=1e-9)
    assert after["filename"] != before["filename"]
    assert after["content_hash"] == before["content_hash"]
    frame, metadata = recipe_read(base64.b64decode(after["data"]))
    assert frame.to_dict("list") == before["data"]
    assert (metadata["exp_time"], metadata["altdata"]) == (30.0, {"a": 1})


def test_peer_10_patch_with_null_clears(admin, world):
    series = post(admin, world, magref=18.0, e_magref=0.1, channel="c", time_stamp_alignment="end")
    patch(admin, series, channel=None, magref=None, time_stamp_alignment=None)
    data = get(admin, series)
    cleared = ("channel", "magref", "e_magref", "ref_flux", "ref_fluxerr")
    assert [data[name] for name in cleared] == [None] * 5
    assert data["time_stamp_alignment"] == "middle"
    answer = admin.patch(f"/api/photometric_series/{series}", json={"obj_id": None, "filter": None})
    assert answer.status_code == 400
    assert set(answer.json()["data"]["fields"]) == {"obj_id", "filter"}


def test_patch_of_data(admin, world):
    series = post(admin, world, limiting_mag=20.0)
    table = {"mjd": [3.0, 1.0], "mag": [18.0, 19.0], "ra": [11.0, 11.0], "exp_time": [5.0, 5.0]}
    warnings = patch(admin, series, data=table, exp_time=6)
    assert "The column 'exp_time' has the median 5 s, but exp_time=6 was given, which is used." in warnings
    assert "The rows are not in the order of time; statistics are computed as if they were." in warnings
    assert [warning for warning in warnings if "arcsec from that of the source" in warning]
    assert patch(admin, series, origin="x") == []
    data = get(admin, series)
    assert data["data"] == table
    assert (data["ra"], data["dec"], data["exp_time"], data["limiting_mag"]) == (11.0, -20.0, 6.0, 20.0)
    assert (data["mjd_first"], data["mag_first"], data["num_exp"]) == (1.0, 19.0, 2)


def test_patch_without_a_change_changes_nothing(admin, world):
    series = post(admin, world)
    before = get(admin, series)
    patch(admin, series)
    patch(admin, series, exp_time=before["exp_time"])
    assert get(admin, series) == before


@pytest.mark.parametrize("value", [True, 1.0, [1], {"1": 1}])
def test_a_json_value_of_another_type_is_a_change(admin, world, value):
    """In Python 1 equals True and 1.0, and a dict that holds one equals a dict that holds the other."""
    series = post(admin, world, altdata={"calibrated": 1, "list": [0]})
    patch(admin, series, altdata={"list": [0], "calibrated": 1})
    assert get(admin, series)["revision"] == 1
    patch(admin, series, altdata={"calibrated": value, "list": [0]})
    data = get(admin, series)
    assert repr(data["altdata"]["calibrated"]) == repr(value)
    assert data["revision"] == 2
    event = admin.get(f"/api/photometric_series/{series}/history").json()["data"]["history"][-1]
    assert repr(event["changed"]["altdata"]["to"]["calibrated"]) == repr(value)


def test_equal_tables_and_sharing_write_nothing(admin, world, directory):
    series = post(admin, world, group_ids=[world.crew], stream_ids=[world.feed])
    before, files = get(admin, series), set((directory / "store").rglob("*.h5"))
    blob = get(admin, series, dataFormat="hdf5")["data"]
    patch(admin, series, group_ids=[world.crew], stream_ids=[world.feed])
    patch(admin, series, data=before["data"], exp_time=before["exp_time"], group_ids=before["group_ids"])
    patch(admin, series, data=blob)
    again = admin.post(
        f"/api/photometric_series/{series}/append", params={"repeats": "drop"}, json={"data": before["data"]}
    )
    assert again.status_code == 200
    assert get(admin, series) == before
    assert set((directory / "store").rglob("*.h5")) == files
    history = admin.get(f"/api/photometric_series/{series}/history").json()["data"]["history"]
    assert [event["action"] for event in history] == ["create"]


def test_an_equal_table_replaces_a_damaged_file(admin, world, directory):
    series = post(admin, world)
    before = get(admin, series)
    (directory / "store" / before["filename"]).write_bytes(b"damaged")
    assert admin.get(f"/api/photometric_series/{series}").status_code == 500
    patch(admin, series, data=before["data"])
    after = get(admin, series)
    assert (after["revision"], after["data"]) == (2, before["data"])


def test_patch_to_an_existing_key_gives_409(admin, world):
    post(admin, world, series_name="taken")
    series = post(admin, world, series_name="free")
    before = get(admin, series)
    answer = admin.patch(f"/api/photometric_series/{series}", json={"series_name": "taken"})
    assert answer.status_code == 409
    assert get(admin, series) == before


def test_delete_removes_a_series(admin, world, directory):
    series = post(admin, world)
    filename = get(admin, series)["filename"]
    assert admin.delete(f"/api/photometric_series/{series}").status_code == 200
    assert admin.get(f"/api/photometric_series/{series}").status_code == 404
    assert admin.delete(f"/api/photometric_series/{series}").status_code == 404
    assert (directory / "store" / filename).exists(), "bytes go after the grace, by the sweep"


def test_list_contains_visible_series(admin, world):
    ids = [post(admin, world, series_name="page", channel=f"{number:02}") for number in range(7)]
    pages = []
    for page in (1, 2, 3):
        params = {"seriesName": "page", "numPerPage": 3, "pageNumber": page}
        data = admin.get("/api/photometric_series", params=params).json()["data"]
        assert (data["totalMatches"], data["numPerPage"], data["pageNumber"]) == (7, 3, page)
        assert all(one["data"] is None for one in data["series"])
        pages += [one["id"] for one in data["series"]]
    assert pages == ids, "sorted by obj_id, then by id"


def test_peer_28_pages_do_not_overlap_where_the_order_has_ties(admin, world):
    ids = {post(admin, world, series_name="ties", channel=str(number)) for number in range(6)}
    for order in ("asc", "desc"):
        got = []
        for page in (1, 2, 3):
            params = {
                "seriesName": "ties",
                "sortBy": "exp_time",
                "sortOrder": order,
                "numPerPage": 2,
                "pageNumber": page,
            }
            got += [one["id"] for one in admin.get("/api/photometric_series", params=params).json()["data"]["series"]]
        assert got == sorted(ids, reverse=order == "desc")


def test_null_sorts_last_both_ways(admin, world):
    with_value = post(admin, world, series_name="nulls last", magref=18.0)
    without = post(admin, world, series_name="nulls last", channel="x")
    for order in ("asc", "desc"):
        params = {"seriesName": "nulls last", "sortBy": "magref", "sortOrder": order}
        series = admin.get("/api/photometric_series", params=params).json()["data"]["series"]
        assert [one["id"] for one in series] == [with_value, without]


def test_num_per_page_above_the_limit_is_the_limit(admin):
    assert admin.get("/api/photometric_series", params={"numPerPage": 10**6}).json()["data"]["numPerPage"] == 500


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"objectID": "odd"}, {"odd%name", "odd_name"}),
        ({"objectID": "odd%"}, {"odd%name"}),
        ({"objectID": "d_n"}, {"odd_name"}),
        ({"objectID": "\\"}, set()),
        ({"seriesName": "criteria", "filter": "ztfg"}, {"odd%name"}),
        ({"seriesName": "criteria", "filter": "ztfg,ztfr"}, {"odd%name", "odd_name"}),
        ({"seriesName": "criteria", "instrumentID": "7"}, {"odd%name", "odd_name"}),
        ({"seriesName": "criteria", "instrumentID": "8,9"}, set()),
        ({"seriesName": "criteri"}, set()),
    ],
)
def test_criteria_select_series(admin, world, params, found):
    for name, bandpass in (("odd%name", "ztfg"), ("odd_name", "ztfr")):
        if admin.get(f"/api/sources/{name}").status_code == 404:
            world.make("sources", id=name, ra=1, dec=1)
            post(admin, world, obj_id=name, filter=bandpass, series_name="criteria")
    series = admin.get("/api/photometric_series", params=params).json()["data"]["series"]
    assert {one["obj_id"] for one in series} == found


def test_a_list_with_tables_equals_the_single_series(admin, world):
    ids = [post(admin, world, series_name="with tables", channel=str(number)) for number in range(3)]
    for data_format in ("json", "hdf5"):
        params = {"seriesName": "with tables", "dataFormat": data_format, "sortBy": "id", "features": "true"}
        series = admin.get("/api/photometric_series", params=params).json()["data"]["series"]
        assert series == [get(admin, number, dataFormat=data_format) for number in ids]


def test_enum_types_lists_allowed_values(admin):
    data = admin.get("/api/enum_types").json()["data"]
    assert {"ztfg", "tess::red", "sma-230GHz"} <= set(data["ALLOWED_BANDPASSES"])
    assert data["ALLOWED_TIME_STAMP_ALIGNMENTS"] == ["start", "middle", "end"]
    assert "System admin" in data["ALLOWED_PERMISSIONS"]


def test_alive_and_ready_need_no_token(service):
    with service.client("") as client:
        del client.headers["Authorization"]
        assert client.get("/healthz").json()["data"] == {"alive": True}
        assert client.get("/readyz").json()["data"]["ready"] is True


def test_a_name_in_the_key_is_a_readable_slug(admin, world):
    data = get(admin, post(admin, world, series_name="Nächte/2026 #5", series_obj_id="α:1"))
    assert data["series_name"] == "Nächte/2026 #5"
    assert data["filename"].isascii()
    assert "/" in data["filename"]
    assert data["filename"].endswith(".h5")


#: More than fits into the buffers on the way to a client.
LONG = pd.DataFrame({"mjd": 59000 + np.arange(600_000) / 7, "mag": 18 + np.sin(np.arange(600_000))})


def post_long(client, world):
    answer = client.post(
        "/api/photometric_series",
        params=world.fields(series_name="long"),
        content=stored_file.encode(LONG, {}),
        headers={"Content-Type": "application/x-hdf5"},
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["id"]


@pytest.mark.slow
def test_a_series_that_changes_while_a_list_is_sent_is_in_it_as_it_has_become(tmp_path, archive_url):
    """Without a grace its old file is gone by the time that its turn comes."""
    settings = {"database__url": archive_url, "store__grace": 0}
    with ForkedService(tmp_path / "data", **settings) as service, service.client() as admin:
        world = World(admin)
        post_long(admin, world)
        second = post(admin, world, series_name="short")
        with admin.stream("GET", "/api/photometric_series", params={"sortBy": "id", "dataFormat": "json"}) as answer:
            # The long table does not fit, so that the service waits for us.
            patch(admin, second, data=columns(7, seed=1))
            answer.read()
    one, other = answer.json()["data"]["series"]
    assert len(one["data"]["mjd"]) == len(LONG)
    assert (other["revision"], other["data"]) == (2, columns(7, seed=1))


@pytest.mark.slow
@pytest.mark.parametrize("path", ["", "/data"])
def test_client_that_reads_nothing_is_disconnected(tmp_path, archive_url, path):
    settings = {"database__url": archive_url, "server__body_timeout": 1.0}
    with ForkedService(tmp_path / "data", **settings) as service, service.client() as admin:
        long = f"/api/photometric_series/{post_long(admin, World(admin))}"
        whole = admin.get(long + path, headers={"Accept-Encoding": "identity"})
        assert int(whole.headers["Content-Length"]) == len(whole.content)
        connection = http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=PATIENCE)
        connection.request("GET", long + path, headers={"Authorization": f"token {service.token}"})
        answer = connection.getresponse()
        deadline = time.monotonic() + PATIENCE
        while "photseries_in_flight 1.0" not in admin.get("/metrics").text:  # that of the metrics
            assert time.monotonic() < deadline
            time.sleep(0.1)
        with contextlib.closing(connection), pytest.raises(http.client.IncompleteRead):
            answer.read()


def test_whole_numbers_of_float_fields_are_floats_in_json(admin, world):
    """10 would make an integer column of a table, in Julia or in a strict parser another type."""
    series = post(
        admin, world, ra=10, dec=-20, exp_time=1e15, limiting_mag=20, data={"mjd": [59000, 59002], "flux": [1, 3]}
    )
    texts = {admin.get("/api/photometric_series", params={"objectID": world.source, "numPerPage": 500}).text}
    texts.add(admin.get(f"/api/photometric_series/{series}").text)
    for text in texts:
        document = json.loads(text, parse_int=lambda digits: f"int {digits}")["data"]
        found = next(one for one in document.get("series", [document]) if one["id"] == f"int {series}")
        floats = {
            name for name, field in FIELDS.items() if field.type in ("number", "mjd") and found.get(name) is not None
        }
        assert {"ra", "dec", "exp_time", "limiting_mag", "mean_flux", "mjd_first", "mjd_mid"} <= floats
        assert {type(found[name]) for name in floats} == {float}
        assert (found["ra"], found["exp_time"], found["mean_flux"]) == (10.0, 1e15, 2.0)
        assert found["num_exp"] == "int 2"
