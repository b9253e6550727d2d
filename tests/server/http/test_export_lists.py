"""Exports of a list: exactly what was asked for, with a manifest of what was found, absent and damaged."""

import io
import json
import zipfile

import h5py
import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest

from photseries.formats import EXPORTS
from photseries.hdf5 import stored_file
from photseries.parameters import list_request
from photseries.server.catalogue import list_queries as lists
from photseries.text import file_name
from tests.server.http.test_errors import check_error
from tests.support import columns

PATH = "/api/photometric_series"
URL = f"{PATH}/export"


@pytest.fixture(scope="module")
def stored(admin, world):
    """The ids of four series: two of a star, one of another star, one that only olga and admins see."""
    for name, ra in (("Barnard's star", 269.452), ("x, y", 120.0), ("hidden", 10.0)):
        world.make("sources", id=name, ra=ra, dec=4.69)
    found = []
    for number, (name, ra, who, rows) in enumerate(
        (("Barnard's star", 269.452, "anna", 5), ("Barnard's star", 269.452, "anna", 300), ("x, y", 120.0, "anna", 7),
         ("hidden", 10.0, "olga", 4))
    ):  # fmt: skip
        body = world.fields(obj_id=name, series_name="listed", series_obj_id=100 + number, ra=ra, dec=4.69)
        data = {**columns(rows), "sky": [float(number)] * rows}
        headers = {"Authorization": f"token {world.tokens[who]}"}
        answer = admin.post(PATH, json={**body, "data": data}, headers=headers)
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["data"]["id"])
    return found


@pytest.fixture(scope="module")
def anna(world):
    return {"Authorization": f"token {world.tokens['anna']}"}


def of_arrow(content):
    with pyarrow.ipc.open_stream(content) as stream:
        batches = [*stream.iter_batches_with_custom_metadata()]
    last = batches[-1]
    assert len(last.batch) == 0
    rows = pyarrow.Table.from_batches([one.batch for one in batches])
    return rows.to_pylist(), json.loads(last.custom_metadata[b"photseries.manifest"])


def of_parquet(content):
    table = pyarrow.parquet.read_table(io.BytesIO(content))
    return table.to_pylist(), json.loads(
        pyarrow.parquet.read_metadata(io.BytesIO(content)).metadata[b"photseries.manifest"]
    )


def of_ndjson(content):
    *rows, last = map(json.loads, content.splitlines())
    return rows, last["manifest"]


def of_hdf5(content):
    with h5py.File(io.BytesIO(content)) as file:
        rows = pd.DataFrame(file["light_curves"][:])
        manifest = json.loads(file["manifest.json"][()])
    texts = [str(name) for name in rows if rows[name].dtype == object]
    rows = rows.assign(**{name: rows[name].map(bytes.decode).replace("", None) for name in texts})
    return rows.to_dict("records"), manifest


READERS = {"arrow": of_arrow, "parquet": of_parquet, "ndjson": of_ndjson, "hdf5": of_hdf5}


def name_of(admin, number):
    """The name of the file of a series in a zip."""
    return file_name(admin.get(f"{PATH}/{number}").json()["data"], ".h5")


def export(admin, headers=None, **body):
    answer = admin.post(URL, json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.content


def rows_of(admin, headers=None, **body):
    return of_ndjson(export(admin, headers, format="ndjson", **body))


@pytest.mark.parametrize("form", READERS)
def test_list_of_names_is_exported_in_every_format(admin, stored, anna, form):
    names = ["nobody", "x, y", "hidden", "Barnard's star", "x, y"]
    answer = admin.post(URL, json={"obj_ids": names, "format": form}, headers=anna)
    assert answer.headers["Content-Type"] == EXPORTS[form].media_type
    rows, manifest = READERS[form](answer.content)
    assert manifest == {
        "asked": 5,
        "found": {"1": [stored[2]], "3": stored[:2], "4": [stored[2]]},
        "absent": [0, 2],
        "damaged": [],
    }
    assert [(row["asked"], row["series_id"], row["mjd"]) for row in rows] == [
        (place, stored[which], mjd)
        for place, which, count in ((1, 2, 7), (3, 0, 5), (3, 1, 300), (4, 2, 7))
        for mjd in columns(count)["mjd"]
    ]
    row = rows[-1]
    assert (row["obj_id"], row["series_obj_id"], row["series_name"]) == ("x, y", "102", "listed")
    assert (row["ra"], row["dec"], row["exp_time"]) == (120.0, 4.69, 120.0)
    assert pd.isna(row["channel"])


def test_every_kind_of_list_is_accepted(admin, stored, anna):
    hashes = [admin.get(f"{PATH}/{one}").json()["data"]["hash"] for one in stored]
    for name, values, found in (
        ("ids", [stored[3], stored[0], 2**62, -1, stored[0]], {"1": stored[:1], "4": stored[:1]}),
        ("series_obj_ids", ["102", 100, "1e2"], {"0": stored[2:3], "1": stored[:1]}),
        ("hashes", ["x", hashes[1], hashes[3]], {"1": stored[1:2]}),
        ("obj_ids", ["BARNARD'S STAR", "x", "Barnard's star"], {"2": stored[:2]}),
    ):
        _, manifest = rows_of(admin, anna, **{name: values})
        assert manifest["found"] == found, name
        assert manifest["absent"] == [place for place in range(len(values)) if str(place) not in found]
    positions = [[269.452, 4.69], [0, 0], [120.0, 4.6901], [269.4521, 4.69], [10, 4.69]]
    _, manifest = rows_of(admin, anna, positions=positions, radius=0.01)
    assert manifest["found"] == {"0": stored[:2], "2": stored[2:3], "3": stored[:2]}
    assert manifest["absent"] == [1, 4]


def test_criteria_restrict(admin, stored):
    _, manifest = rows_of(admin, ids=stored, minNumExposures=6, filter="ztfg")
    assert (manifest["found"], manifest["absent"]) == ({"1": [stored[1]], "2": [stored[2]]}, [0, 3])
    assert rows_of(admin, ids=stored, objectID="arnard", ra=269.452, dec=4.69, radius=1)[1]["absent"] == [2, 3]
    assert rows_of(admin, ids=stored, seriesName="nothing")[0] == []


@pytest.mark.parametrize(
    "part",
    [
        {"mjdMin": 59000.001, "mjdMax": 59000.1},
        {"columns": ["mjd", "sky"]},
        {"derive": ["snr", "mjd_mid"], "columns": ["flux"]},
        {"rowMin": 2, "rowMax": 4, "derive": "snr"},
        {"bin": "10min"},
        {"detrend": "1d", "clip": 3, "mjdMax": 59000.1},
        {"maxPoints": 4},
    ],
    ids=str,
)
def test_parts_are_those_of_each_series(admin, stored, part):
    """The same rows and values as the answers about single series have."""
    rows, manifest = rows_of(admin, ids=stored, **part)
    assert manifest["absent"] == []
    for place, number in enumerate(stored):
        texts = {name: ",".join(value) if isinstance(value, list) else value for name, value in part.items()}
        answer = admin.get(f"{PATH}/{number}", params=texts).json()
        expected = answer["data"]["data"] if answer["status"] == "success" else {"mjd": []}
        mine = [row for row in rows if row["asked"] == place]
        assert mine or answer["status"] == "error"
        for name, values in expected.items():
            if name == "sky" and "columns" not in part:
                continue  # the light curve alone is what comes unasked
            assert [row[name] for row in mine] == [
                float(value) if isinstance(value, bool) else value for value in values
            ], name
        assert len(mine) == len(next(iter(expected.values())))


def test_zip_contains_each_file_once(admin, stored, anna):
    content = export(admin, anna, ids=[stored[2], 99999, stored[0], stored[2]], format="zip")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        names = [name_of(admin, stored[which]) for which in (2, 0)]
        assert archive.namelist() == [*names, "series.jsonl", "manifest.json"]
        for name, which in zip(names, (2, 0), strict=True):
            file = admin.get(f"{PATH}/{stored[which]}/data").content
            assert archive.read(name) == file
        fields = [json.loads(line) for line in archive.read("series.jsonl").splitlines()]
        assert [(one["asked"], one["id"]) for one in fields] == [(0, stored[2]), (2, stored[0]), (3, stored[2])]
        assert json.loads(archive.read("manifest.json"))["absent"] == [1]


def test_a_zip_of_parts(admin, stored):
    content = export(admin, ids=stored, format="zip", columns=["mjd", "sky"], rowMin=4)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        fields = [json.loads(line) for line in archive.read("series.jsonl").splitlines()]
        assert [one.get("data_error") for one in fields] == [
            None, None, None, "No row of this series matches the requested times and rows.",
        ]  # fmt: skip
        assert name_of(admin, stored[3]) not in archive.namelist()
        frame = stored_file.decode(archive.read(name_of(admin, stored[2]))).frame
    assert frame.to_dict("list") == {"mjd": columns(7)["mjd"][4:], "sky": [2.0] * 3}


@pytest.mark.parametrize("form", [*READERS, "zip"])
def test_a_damaged_file_does_not_stop_the_others(admin, stored, directory, form):
    file = directory / "store" / admin.get(f"{PATH}/{stored[1]}").json()["data"]["filename"]
    content = file.read_bytes()
    file.write_bytes(content[:-1] + b"x")
    try:
        found = export(admin, ids=stored, format=form)
    finally:
        file.write_bytes(content)
    if form == "zip":
        with zipfile.ZipFile(io.BytesIO(found)) as archive:
            manifest = json.loads(archive.read("manifest.json"))
            assert [name for name in archive.namelist() if name.endswith(".h5")] == [
                name_of(admin, stored[which]) for which in (0, 2, 3)
            ]
    else:
        rows, manifest = READERS[form](found)
        assert {row["series_id"] for row in rows} == {stored[which] for which in (0, 2, 3)}
    assert manifest == {
        "asked": 4, "found": {str(place): [one] for place, one in enumerate(stored)}, "absent": [],
        "damaged": [stored[1]],
    }  # fmt: skip


def test_cursor_continues_an_export(admin, stored):
    whole, manifest = rows_of(admin, ids=[*stored, stored[0]])
    rest, again = rows_of(admin, ids=[*stored, stored[0]], cursor=f"1.{stored[1]}")
    assert again == manifest
    assert rest == [row for row in whole if row["asked"] > 1]
    assert rows_of(admin, ids=stored, cursor="99.1")[0] == []


def test_list_without_matches_gives_an_empty_export(admin, stored):
    for form, reader in READERS.items():
        rows, manifest = reader(export(admin, obj_ids=["nobody"], format=form, columns=["mjd", "colour"]))
        assert (list(rows), manifest["absent"], manifest["found"]) == ([], [0], {})


def test_long_lists_are_looked_up_in_portions(admin, stored, monkeypatch):
    """The service is a fork with the same numbers, so they are the real ones here: 30,000 entries, of 100,000."""
    ids = [*range(10**6, 10**6 + lists.PORTION + 10), stored[0], *range(2 * 10**6, 2 * 10**6 + 10)]
    rows, manifest = rows_of(admin, ids=ids)
    assert manifest["found"] == {str(lists.PORTION + 10): [stored[0]]}
    assert {row["asked"] for row in rows} == {lists.PORTION + 10}
    assert manifest["asked"] == len(ids) == len(manifest["absent"]) + 1


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({}, "ids", "exactly one of ids, obj_ids, series_obj_ids, hashes, positions"),
        ({"ids": [1], "obj_ids": ["a"]}, "ids", "not 2"),
        ({"ids": []}, "ids", "1 to 100,000"),
        ({"ids": "1,2"}, "ids", "must be a list"),
        ({"ids": {"0": 1}}, "ids", "must be a list"),
        ({"ids": [1, "2"]}, "ids", "ids[1] is '2'; it must be an integer"),
        ({"ids": [True]}, "ids", "ids[0]"),
        ({"ids": [1.0]}, "ids", "ids[0]"),
        ({"ids": [2**63]}, "ids", "ids[0]"),
        ({"obj_ids": ["a", None]}, "obj_ids", "obj_ids[1] is None"),
        ({"obj_ids": ["a\0"]}, "obj_ids", "obj_ids[0]"),
        ({"hashes": [["a"]]}, "hashes", "hashes[0]"),
        ({"positions": [[1, 2]]}, "positions", "radius"),
        ({"positions": [[1, 92]], "radius": 1}, "positions", "positions[0]"),
        ({"positions": [[1, 2]], "radius": 1, "ra": 1}, "positions", "cannot be combined with ra"),
        ({"ids": [1], "format": "csv"}, "format", "format"),
        ({"ids": [1], "colour": "red"}, "colour", "Unknown parameter"),
        ({"ids": [1], "cursor": "abc"}, "cursor", "17.4711"),
        ({"ids": [1], "bin": "soon"}, "bin", "bin"),
        ({"ids": [1], "sortBy": "id"}, "sortBy", "Unknown parameter"),
    ],
    ids=str,
)
def test_invalid_list_requests_are_refused(admin, body, field, words):
    refused = check_error(admin.post(URL, json=body), 400)
    assert field in refused["data"]["fields"]
    assert words in refused["message"]
    assert len(refused["message"]) < 300


def test_a_column_that_no_series_has(admin, stored):
    refused = check_error(admin.post(URL, json={"ids": stored, "columns": ["mjd", "sea"]}), 400)
    assert "'sea'" in refused["message"]
    rows, _ = rows_of(admin, ids=stored, columns="*")
    assert {"mjd", "mag", "sky"} < rows[0].keys()


def test_overlong_lists_are_refused(admin):
    check_error(admin.post(URL, json={"ids": list(range(list_request.MAX_ENTRIES + 1))}), 400)
    check_error(admin.post(URL, json={"obj_ids": ["x" * 200] * 100_000}), 413)
    check_error(admin.post(URL, content=b"[1]", headers={"Content-Type": "image/png"}), 415)


def test_a_token_is_needed(admin, service):
    check_error(admin.post(URL, json={"ids": [1]}, headers={"Authorization": "token nobody's"}), 401)


def test_blocks_of_unlike_series_keep_their_order(admin, world):
    """Fluxes and magnitudes, several units, whole numbers and floats: each has its own rows."""
    made = []
    for number in range(12):
        data = {"mjd": [1.0 + number, 2.0 + number], "flux": [10 + number, 20 + number]}
        more = {"flux_unit": ("uJy", "mJy", "electron/s")[number % 3]}
        if number % 4 == 3:
            data, more = {"mjd": [1 + number, 2 + number], "mag": [17.5, 18.5 + number]}, {}
        body = world.fields(series_name="unlike", series_obj_id=str(number), data=data, **more)
        made.append(admin.post(PATH, json=body).json()["data"]["id"])
    rows, _ = rows_of(admin, ids=made[::-1])
    assert [row["series_id"] for row in rows] == [one for one in made[::-1] for _ in range(2)]
    for row in rows:
        number = made.index(row["series_id"])
        first = row["mjd"] == 1 + number
        if number % 4 == 3:
            mag = 17.5 if first else 18.5 + number
            assert row["mag"] == mag
            assert np.isclose(row["flux"], 10 ** ((23.9 - mag) / 2.5), rtol=1e-12)
        else:
            assert row["flux"] == ((10 if first else 20) + number) * (1000 if number % 3 == 1 else 1)
            assert (row["mag"] is None) == (number % 3 == 2)
