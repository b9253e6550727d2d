"""Features through HTTP: in the answer about one series, in lists on request, in searches, exports and flags."""

import io
import json
import zipfile
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from photseries.cli import main
from photseries.client import Client
from photseries.fields import FEATURES
from photseries.lightcurve.curve import light_curve
from photseries.lightcurve.features import features
from tests.support import PATIENCE, data

PATH = "/api/photometric_series"
TIMES = 59000 + np.arange(60) / 10
NOISE = np.random.default_rng(5).normal(0, 1, 60)
TABLES: dict[str, dict[str, Any]] = {
    "constant": {"mjd": TIMES, "flux": 100 + NOISE, "fluxerr": np.ones(60)},
    "variable": {"mjd": TIMES, "flux": 100 + 20 * np.sin(TIMES) + NOISE, "fluxerr": np.ones(60)},
    "bare": {"mjd": TIMES[:1], "flux": [-1.0]},
}


@pytest.fixture(scope="module")
def ids(admin, world):
    return {name: stored(admin, world, name, table, batch="features") for name, table in TABLES.items()}


def stored(admin, world, name, table, **fields):
    columns = {column: np.asarray(values).tolist() for column, values in table.items()}
    answer = admin.post(PATH, json=world.fields(series_name=f"features/{name}", data=columns, **fields))
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["id"]


def found(admin, **params):
    names = data(admin.get(PATH, params={"sortBy": "id", "batch": "features", **params}))["series"]
    return [one["series_name"].removeprefix("features/") for one in names]


def test_one_series_has_the_features_of_its_table(admin, ids):
    for name, number in ids.items():
        fields = data(admin.get(f"{PATH}/{number}", params={"dataFormat": "none"}))
        right = features(light_curve(pd.DataFrame(TABLES[name])))
        assert {name: fields[name] for name in FEATURES} == right
        assert fields["num_flagged"] == 0


def test_lists_have_features_on_request(admin, ids):
    (without,) = data(admin.get(PATH, params={"seriesName": "features/variable"}))["series"]
    assert not set(FEATURES) & set(without)
    (with_them,) = data(admin.get(PATH, params={"seriesName": "features/variable", "features": "true"}))["series"]
    one = data(admin.get(f"{PATH}/{ids['variable']}", params={"dataFormat": "none"}))
    assert with_them == one
    body = {"positions": [[with_them["ra"], with_them["dec"]]], "radius": 0.01, "features": True}
    (near, *_) = data(admin.post(f"{PATH}/query", json=body))["series"]
    assert near["von_neumann"] is not None


@pytest.mark.usefixtures("ids")
def test_features_are_searched_and_sorted(admin):
    assert found(admin, maxVonNeumann=1) == ["variable"]
    assert found(admin, minVonNeumann=1) == ["constant"]
    assert found(admin, minChi2Dof=10, minAmplitude=0.1, maxBeyond2Sigma=0.2) == ["variable"]
    assert found(admin, featuresOf="flux") == ["bare"]
    assert found(admin, sortBy="chi2_dof", sortOrder="desc") == ["variable", "constant", "bare"]
    assert found(admin, sortBy="features_of") == ["bare", "constant", "variable"]


def test_the_client_the_command_and_the_page_have_features(service, ids):
    with Client(service.url, service.token) as client:
        frame = client.find(batch="features", max_von_neumann=1, features=True)
        assert list(frame["series_name"]) == ["features/variable"]
        assert set(FEATURES) <= set(frame.columns)
        assert client.get(ids["variable"]).metadata["von_neumann"] == frame["von_neumann"][0]
        assert client.count(batch="features", min_chi2_dof=10) == 1
    environment = {"PHOTSERIES_URL": service.url, "PHOTSERIES_TOKEN": service.token}
    words = ["find", "--batch", "features", "--max-von-neumann", "1", "--columns", "series_name,von_neumann", "--csv"]
    printed = CliRunner().invoke(main, words, env=environment)
    assert printed.output.splitlines()[1].startswith("features/variable,0.")
    with httpx.Client(base_url=service.url, timeout=PATIENCE) as browser:
        browser.post("/sign-in", data={"token": service.token})
        page = browser.get(f"/series/{ids['variable']}").text
    assert "<h2>Features</h2>" in page
    assert "Von Neumann ratio" in page


def test_a_zip_has_the_features(admin, ids):
    answer = admin.get(f"{PATH}/export", params={"format": "zip", "seriesName": "features/variable"})
    lines = zipfile.ZipFile(io.BytesIO(answer.content)).read("series.jsonl").splitlines()
    assert [json.loads(line)["id"] for line in lines] == [ids["variable"]]
    assert json.loads(lines[0])["features_of"] == "mag"


def test_flagged_rows_are_skipped_wherever_light_curves_are_analysed(admin, world):
    flags = np.arange(60) % 3
    spoiled = np.where(flags == 2, 5000, TABLES["variable"]["flux"])
    table = {**TABLES["variable"], "flux": spoiled, "flags": flags}
    number = stored(admin, world, "flagged", table, flag_column="flags", good_values=[0, 1])
    kept = {name: np.asarray(column)[flags < 2] for name, column in table.items()}
    other = stored(admin, world, "kept", kept)
    path, clean = f"{PATH}/{number}", f"{PATH}/{other}"
    fields, right = (data(admin.get(one, params={"dataFormat": "none"})) for one in (path, clean))
    assert (fields["num_exp"], fields["num_flagged"], right["num_flagged"]) == (60, 20, 0)
    assert (fields["flag_column"], fields["good_values"]) == ("flags", [0, 1])
    for name in (*FEATURES, "mean_flux", "robust_mag", "median_snr", "medians", "maxima"):
        assert fields[name] == right[name], name
    for analysis in ("periodogram", "folded?period=1.5"):
        assert data(admin.get(f"{path}/{analysis}")) == data(admin.get(f"{clean}/{analysis}"))
    assert max(data(admin.get(path, params={"maxPoints": 50}))["data"]["flux"]) < 200
    assert data(admin.get(path))["data"]["flux"] == spoiled.tolist()
    assert admin.patch(path, json={"good_values": [0]}).status_code == 200
    assert data(admin.get(path))["num_flagged"] == 40
    assert admin.patch(path, json={"flag_column": None}).status_code == 200
    assert data(admin.get(path))["p99"] != right["p99"]
    with admin.stream("GET", f"{path}/data") as answer:
        assert answer.status_code == 200


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"flag_column": "nothing"}, "flag_column", "The table has no column 'nothing'"),
        ({"good_values": [1.5]}, "good_values", "a list of 1 to 100 integers, texts or booleans"),
        ({"good_values": []}, "good_values", "a list of 1 to 100 integers, texts or booleans"),
    ],
)
def test_flags_that_cannot_be_are_refused(admin, world, fields, field, words):
    columns = {name: values.tolist() for name, values in TABLES["constant"].items()}
    answer = admin.post(PATH, json=world.fields(series_name="features/refused", data=columns, **fields))
    assert answer.status_code == 400
    assert words in answer.json()["data"]["fields"][field][0]


def test_a_file_keeps_the_flags(admin, world):
    table = {**TABLES["constant"], "quality": ["G", "B"] * 30}
    number = stored(admin, world, "texts", table, flag_column="quality", good_values="G")
    content = admin.get(f"{PATH}/{number}/data").content
    assert admin.delete(f"{PATH}/{number}").status_code == 200
    again = admin.post(PATH, content=content, headers={"Content-Type": "application/x-hdf5"})
    fields = data(admin.get(f"{PATH}/{data(again)['id']}", params={"dataFormat": "none"}))
    assert (fields["flag_column"], fields["good_values"], fields["num_flagged"]) == ("quality", ["G"], 30)
