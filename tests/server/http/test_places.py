"""The places of instruments through HTTP: what follows from them in derived times, in exports and in features."""

import io

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from photseries.lightcurve.barycentre import derived_time
from tests.server.http.test_bulk import send
from tests.support import columns

PATH = "/api/photometric_series"
SITE = {"longitude": -70.4042, "latitude": -24.6272, "height": 2635.0}
FRAME = {"time_scale": "utc", "time_refpos": "topocenter"}
TABLE = {**columns(5), "mjd": [59000.98, 59001.02, 59001.4, 59001.98, 59002.02]}


@pytest.fixture
def instrument(admin):
    return admin.post("/api/instrument", json={"name": "NTT", **SITE}).json()["data"]["id"]


@pytest.fixture
def post(admin, world, instrument, request):
    def post(**fields):
        body = world.fields(series_name=f"places/{request.node.name[:40]}", **fields)
        answer = admin.post(PATH, json={"data": TABLE, **body, "instrument_id": instrument})
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]["id"]

    return post


def test_an_instrument_has_a_place_that_changes(admin, instrument):
    path = f"/api/instrument/{instrument}"
    known = admin.get(path).json()["data"]
    assert {name: known[name] for name in SITE} == SITE
    assert admin.patch(path, json={"height": 0, "name": "other"}).status_code == 200
    assert admin.get(path).json()["data"]["height"] == 0
    assert admin.get(path).json()["data"]["name"] == "other"
    refused = admin.patch(path, json={"latitude": 91})
    assert (refused.status_code, list(refused.json()["data"]["fields"])) == (400, ["latitude"])


def test_derived_times_use_the_place(admin, post):
    number = post(**FRAME)
    got = admin.get(f"{PATH}/{number}", params={"derive": "bjd_tdb,hjd_utc,mjd_tdb"}).json()["data"]
    about = {**got, **SITE}
    for name in ("bjd_tdb", "hjd_utc", "mjd_tdb"):
        assert got["data"][name] == derived_time(name, np.array(TABLE["mjd"]), about).tolist()
    text = admin.get(f"{PATH}/{number}.csv", params={"columns": "mjd", "derive": "bjd_tdb"}).text
    assert float(text.splitlines()[-1].split(",")[1]) == got["data"]["bjd_tdb"][-1]
    asked = {"format": "parquet", "derive": "bjd_tdb", "seriesName": got["series_name"]}
    table = pyarrow.parquet.read_table(io.BytesIO(admin.get(f"{PATH}/export", params=asked).content))
    assert table["bjd_tdb"].to_pylist() == got["data"]["bjd_tdb"]


@pytest.mark.parametrize(
    "path",
    ["?dataFormat=json&derive=bjd_tdb", ".csv?derive=bjd_tdb", "/plot.png?bin=night"],
)
def test_a_copy_is_outdated_when_the_instrument_moves(admin, post, instrument, path):
    """The latitude changes neither the revision nor the statistics."""
    address = f"{PATH}/{post(**FRAME)}{path}"
    before = admin.get(address)
    same = {"If-None-Match": before.headers["etag"]}
    assert admin.get(address, headers=same).status_code == 304
    assert admin.patch(f"/api/instrument/{instrument}", json={"latitude": 24.6272}).status_code == 200
    after = admin.get(address, headers=same)
    assert after.status_code == 200
    assert after.headers["etag"] != before.headers["etag"]
    assert (after.content != before.content) is ("bjd_tdb" in path)


def test_an_unknown_place_is_refused_in_words(admin, post, instrument):
    number = post()
    answer = admin.get(f"{PATH}/{number}", params={"derive": "bjd_tdb"})
    assert answer.status_code == 400
    assert answer.json()["data"]["fields"]["derive"] == [
        "bjd_tdb cannot be derived: the time_scale of the series is unknown."
    ]


def test_nights_of_a_bulk_upload_are_those_of_the_place(admin, world, instrument):
    fields = world.fields(series_name="places/bulk", instrument_id=instrument, **FRAME)
    cells = {**{name: [value] * 5 for name, value in fields.items()}, **TABLE}
    lines, _ = send(admin, pyarrow.table(cells), by="series_obj_id")
    assert admin.get(f"{PATH}/{lines[0]['data']['id']}").json()["data"]["points_per_night"] == 2.5


def test_nights_are_those_of_the_place(admin, post, instrument):
    """When the instrument moves, its series are behind until their statistics are computed again."""
    number = post()
    fields = admin.get(f"{PATH}/{number}").json()["data"]
    assert fields["points_per_night"] == 2.5
    assert admin.patch(f"/api/instrument/{instrument}", json={"longitude": 180}).status_code == 200
    assert admin.get(f"{PATH}/{number}").json()["data"]["statistics_version"] == 0
    other = {**TABLE, "flux": TABLE["flux"][::-1]}
    assert admin.patch(f"{PATH}/{number}", json={"data": other}).status_code == 200
    assert admin.get(f"{PATH}/{number}").json()["data"]["points_per_night"] == 5 / 3
