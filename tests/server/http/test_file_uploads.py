"""Files of every format over HTTP: described, tried and stored as the command line does it, by the same readers."""

import gzip
import json
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from photseries.errors import InvalidError
from photseries.fields import FIELDS
from photseries.formats import ReadOptions, collect
from tests.formats.workbooks import workbook
from tests.server.http.test_errors import check_error
from tests.support import DATA, recipe_read

PATH = "/api/photometric_series"
CASES = json.loads((DATA / "cases/cases.json").read_text())
OPTIONS = {field.name for field in fields(ReadOptions)}
TEXT = b"JD,Vmag,e_Vmag,Band\n2460001.5,12.1,0.01,V\n2460002.5,12.3,0.02,V\n2460003.5,99.999,0.02,V\n"


def inspect(client, content, **query):
    answer = client.post(f"{PATH}/inspect", content=content, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["series"]


def store(client, content, **query):
    return client.post(f"{PATH}/file", content=content, params=query)


def test_a_file_is_described_before_anything_is_known_of_it(admin):
    (found,) = inspect(admin, TEXT, filename="night 1/v.csv", maxPoints=10)
    assert [(one["role"], one["column"]) for one in found["columns"]] == [
        ("mjd", "JD"),
        ("mag", "Vmag"),
        ("magerr", "e_Vmag"),
    ]
    assert all(one["why"] for one in found["columns"])
    assert (found["first"], found["last"]) == ("2023-02-26T00:00:00", "2023-02-28T00:00:00")
    assert found["filters"] == {"V": 3}
    assert found["names"] == ["JD", "Vmag", "e_Vmag", "Band"]
    assert found["filter_map"] == "V=bessellv"
    assert found["missing"] == [name for name, field in FIELDS.items() if field.required]
    assert any("99.999" in warning for warning in found["warnings"])
    assert found["light_curve"]["mag"] == [12.1, 12.3]
    np.testing.assert_allclose(found["light_curve"]["mjd"], [60001.0, 60002.0])
    assert found["brightness"] == "mag"


def test_roles_can_be_changed(admin):
    content = b"mjd,mag,mag_psf\n60000,15,16\n60001,15.5,16.5\n"
    (found,) = inspect(admin, content, mag_col="mag_psf")
    assert found["light_curve"]["mag"] == [16, 16.5]
    assert found["options"] == {"mag_col": "mag_psf"}


def test_a_file_of_several_filters_names_the_options_that_store_each(admin, world):
    path = DATA / "cases/csv/ztf_irsa.csv"
    found = inspect(admin, path.read_bytes(), filename=path.name)
    assert [one["filter"] for one in found] == ["zg", "zr"]
    for one in found:
        given = world.fields(series_name=f"split {one['filter']}", filename=path.name)
        del given["filter"]
        answer = store(admin, path.read_bytes(), **{**given, **one["options"]})
        assert answer.status_code == 200, answer.text
        series = admin.get(f"{PATH}/{answer.json()['data']['id']}?dataFormat=none").json()["data"]
        assert series["filter"] == one["fields"]["filter"]
        assert series["num_exp"] == one["rows"]


def test_file_request_stores_one_series(admin, world):
    path = DATA / "cases/csv/ztf_irsa.csv"
    given = world.fields(series_name="both", split_by="filtercode")
    body = check_error(store(admin, path.read_bytes(), **given), 400)
    assert "where=filtercode=zg" in body["message"]


def local(path, options):
    """The series of a file, and why it has none."""
    try:
        return collect(path, ReadOptions(**options)), ""
    except InvalidError as error:
        return (), error.message


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_command_and_request_store_equal_series(admin, world, case):
    path = DATA / "cases" / case["file"]
    given = {name.replace("-", "_"): value for name, value in case["options"].items()}
    options = {name: value for name, value in given.items() if name in OPTIONS}
    query = {**world.fields(series_name=f"case {case['name']}", filename=path.name), **given}
    readings, refusal = local(path, options)
    if refusal:
        assert refusal in check_error(store(admin, path.read_bytes(), **query), 400)["message"]
        return
    if len(readings) > 1:
        assert len(inspect(admin, path.read_bytes(), filename=path.name, **options)) == len(readings)
        return
    (reading,) = readings
    answer = store(admin, path.read_bytes(), **query)
    assert answer.status_code == 200, answer.text
    assert set(reading.warnings) <= set(answer.json()["data"]["warnings"])
    series = answer.json()["data"]["id"]
    frame, _ = recipe_read(admin.get(f"{PATH}/{series}/data").content)
    expected = reading.frame
    assert list(frame.columns) == list(expected.columns)
    for name in frame:
        if frame[name].dtype.kind in "fiub":
            np.testing.assert_array_equal(frame[name].to_numpy(), expected[name].to_numpy())
    found = admin.get(f"{PATH}/{series}?dataFormat=none").json()["data"]
    for name, value in reading.fields.items():
        if name not in query and not isinstance(value, dict | float):
            assert found[name] == value, name
    assert admin.delete(f"{PATH}/{series}").status_code == 200


def test_a_dry_run_says_what_the_file_gives(admin, world):
    path = DATA / "cases/fits/qlp.fits"
    given = {"obj_id": world.source, "instrument_id": world.instrument, "filename": path.name, "dryRun": "true"}
    answer = store(admin, path.read_bytes(), **given, maxPoints=10, exp_time=600)
    assert answer.status_code == 200, answer.text
    shown = answer.json()["data"]
    assert shown["sources"]["series_name"] == "file"
    assert shown["sources"]["exp_time"] == "body"
    assert shown["light_curve"]["mjd"]
    missing = check_error(store(admin, TEXT, filename="v.csv", dryRun="true"), 400)
    assert {"obj_id", "instrument_id"} <= missing["data"]["fields"].keys()


def test_the_hint_at_a_filter_is_followed(admin, world):
    given = world.fields(series_name="hinted", filename="v.csv")
    del given["filter"]
    message = check_error(store(admin, TEXT, **given), 400)["message"]
    assert "filter_map=V=bessellv" in message
    assert store(admin, TEXT, **given, filter_map="V=bessellv").status_code == 200


def test_compressed_files_and_compressed_bodies(admin):
    (plain,) = inspect(admin, TEXT, filename="v.csv")
    assert inspect(admin, gzip.compress(TEXT), filename="v.csv.gz") == [plain]
    headers = {"Content-Encoding": "gzip"}
    query = {"filename": "v.csv"}
    answer = admin.post(f"{PATH}/inspect", content=gzip.compress(TEXT), params=query, headers=headers)
    assert answer.json()["data"]["series"] == [plain]


def test_workbooks_are_for_the_client_alone(admin, tmp_path):
    path = tmp_path / "night.xlsx"
    path.write_bytes(workbook([["mjd", "mag"], [60000, 15], [60001, 15]]))
    body = check_error(admin.post(f"{PATH}/inspect", content=path.read_bytes(), params={"filename": path.name}), 400)
    assert "photseries upload" in body["message"]


def test_file_limits_are_enforced(admin, world):
    bomb = gzip.compress(b"mjd,mag\n" + b"60000,15\n" * 40_000_000, 1)
    assert "bytes when it is decompressed" in check_error(admin.post(f"{PATH}/inspect", content=bomb), 400)["message"]
    rows = b"mjd,mag\n" + b"60000,15\n" * 2_000_001
    assert "2,000,001 rows" in check_error(store(admin, rows, **world.fields(series_name="long")), 400)["message"]
    check_error(admin.post(f"{PATH}/inspect", content=TEXT, params={"file": "v.csv", "colour": "red"}), 400)
    check_error(admin.post(f"{PATH}/inspect", content=TEXT, params={"limit": "perhaps"}), 400)
    check_error(admin.post(f"{PATH}/inspect", content=b""), 400)
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    check_error(admin.post(f"{PATH}/inspect", content=TEXT, headers=form), 415)


def test_file_upload_requires_permission(service, world):
    with service.client(world.tokens["anna reads"]) as reader:
        check_error(reader.post(f"{PATH}/inspect", content=TEXT), 403)
        check_error(store(reader, TEXT), 403)


def test_columns_of_categories_and_dates_arrive(admin, world, tmp_path):
    path = tmp_path / "odd.parquet"
    frame = pd.DataFrame(
        {
            "mjd": [60000.0, 60001.0],
            "flux": np.array([1, 2], "f4"),
            "night": pd.Categorical(["a", "b"]),
            "taken": pd.to_datetime(["2023-01-01", "2023-01-02"]),
        }
    )
    frame.to_parquet(path)
    answer = store(admin, path.read_bytes(), **world.fields(series_name="odd", filename=path.name, flux_unit="uJy"))
    assert answer.status_code == 200, answer.text
    found, _ = recipe_read(admin.get(f"{PATH}/{answer.json()['data']['id']}/data").content)
    assert found["flux"].dtype == np.float32
    assert found["night"].tolist() == ["a", "b"]
    assert found["taken"].tolist() == frame["taken"].tolist()
