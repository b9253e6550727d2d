"""The main job on real input: the TESS file goes up as the how-to says, and comes back."""

import base64
import hashlib
import math

import numpy as np
import pandas as pd
import pytest

from tests.support import TESS, macho, recipe_base64, recipe_read


@pytest.fixture(scope="module")
def original():
    with pd.HDFStore(TESS, mode="r") as store:
        (key,) = store.keys()
        return store[key]


@pytest.fixture(scope="module")
def posted(admin, world):
    """The file unchanged, with only obj_id and instrument_id beside it."""
    data = base64.b64encode(TESS.read_bytes()).decode()
    answer = admin.post(
        "/api/photometric_series", json={"data": data, "obj_id": world.source, "instrument_id": world.instrument}
    )
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"status", "data", "version"}
    assert answer.json()["status"] == "success"
    return answer.json()["data"]["id"]


def get(admin, series, **params):
    answer = admin.get(f"/api/photometric_series/{series}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def test_peer_23_the_metadata_of_the_file_is_taken(admin, posted):
    data = get(admin, posted, dataFormat="none")
    assert data["data"] is None
    expected = {
        "filter": "tess::red",
        "series_name": "TESS_2_1_2",
        "series_obj_id": "114807149",
        "exp_time": 21.706513907097,
        "ra": 359.988204043562,
        "dec": -22.0806469815351,
        "time_stamp_alignment": "middle",
        "num_exp": 18699,
        "obj_id": "star",
        "instrument_id": 7,
    }
    assert {name: data[name] for name in expected} == expected


def test_json_equals_the_columns(admin, posted, original):
    data = get(admin, posted)["data"]
    assert list(data) == list(original.columns)
    for name, column in original.items():
        values = column.to_numpy()
        if values.dtype.kind == "f":
            got = np.array([math.nan if value is None else value for value in data[name]], values.dtype)
            np.testing.assert_array_equal(got, values, strict=True)
            shortest = [None if math.isnan(value) else float(str(value)) for value in values[:500]]
            assert data[name][:500] == shortest
        else:
            assert data[name] == values.tolist()


def test_hdf5_decodes_with_the_recipe(admin, posted, original):
    content = base64.b64decode(get(admin, posted, dataFormat="hdf5")["data"], validate=True)
    frame, metadata = recipe_read(content)
    assert frame.equals(original)
    assert list(frame.columns) == list(original.columns)
    assert (frame.dtypes == original.dtypes).all()
    assert metadata["filter"] == "tess::red"
    assert {type(value) for value in metadata.values()} <= {str, int, float, bool, dict, list}


def test_peer_19_hash_is_the_md5_of_what_is_served_and_stored(admin, posted, directory):
    data = get(admin, posted, dataFormat="hdf5")
    content = base64.b64decode(data["data"])
    assert hashlib.md5(content).hexdigest() == data["hash"]
    assert (directory / "store" / data["filename"]).read_bytes() == content


def test_a_download_can_be_posted_again(admin, world, posted):
    data = get(admin, posted, dataFormat="hdf5")["data"]
    world.make("instrument", id=8, name="another")
    answer = admin.post("/api/photometric_series", json={"data": data, "instrument_id": 8})
    assert answer.status_code == 200, answer.text
    *_, same = answer.json()["data"]["warnings"]
    assert same == f"The same table is already stored as series {posted}."
    first, second = (get(admin, series) for series in (posted, answer.json()["data"]["id"]))
    differing = {name for name in first if first[name] != second[name]}
    assert differing == {"id", "created_at", "modified", "instrument_id", "filename", "hash"}


def test_the_same_series_again_is_a_duplicate(admin, world, posted):
    data = base64.b64encode(TESS.read_bytes()).decode()
    answer = admin.post(
        "/api/photometric_series", json={"data": data, "obj_id": world.source, "instrument_id": world.instrument}
    )
    assert answer.status_code == 409
    assert "A PhotometricSeries with the same hash already exists" in answer.json()["message"]
    assert "TESS_2_1_2" in answer.json()["message"]
    assert answer.json()["data"]["id"] == posted


@pytest.mark.parametrize("band", ["R", "B"])
def test_macho_magnitudes(admin, world, band):
    table = macho(band)
    body = world.fields(data=table, series_name="MACHO", filter=f"bessell{band.lower()}", ra=75.4317, dec=-69.171)
    answer = admin.post("/api/photometric_series", json=body)
    assert answer.status_code == 200, answer.text
    data = get(admin, answer.json()["data"]["id"])
    assert data["data"] == table

    mjd, mag = np.array(table["mjd"]), np.array(table["mag"])
    order = np.argsort(mjd, kind="stable")
    kept, centre, scatter = mag, np.median(mag), np.std(mag)
    for _ in range(3):
        inside = kept[np.abs(kept - centre) <= 3 * scatter]
        if len(inside) == len(kept):
            break
        kept, centre, scatter = inside, np.mean(inside), np.std(inside)
    flux = 10 ** (-0.4 * (mag - 23.9))
    steps = np.diff(mjd[order]) * 86400
    expected = {
        "num_exp": len(mjd),
        "mean_mag": np.mean(mag),
        "rms_mag": np.std(mag),
        "robust_mag": centre,
        "robust_rms": scatter,
        "mean_flux": np.mean(flux),
        "rms_flux": np.std(flux),
        "mjd_first": mjd.min(),
        "mjd_last": mjd.max(),
        "mjd_mid": (mjd.min() + mjd.max()) / 2,
        "mag_first": mag[order][0],
        "mag_last": mag[order][-1],
        "frame_rate": 1 / np.median(steps[steps > 0]),
    }
    for name, value in expected.items():
        assert data[name] == pytest.approx(value, rel=1e-12), name
    assert data["medians"]["mag"] == pytest.approx(np.median(mag), rel=1e-12)


def test_metadata_of_body_file_and_columns_in_this_order(admin, world):
    frame = pd.DataFrame(
        {
            "mjd": [1.0, 2.0],
            "mag": [18.0, 18.1],
            "ra": [1.0, 3.0],
            "dec": [5.0, 5.0],
            "exptime": [30, 40],
            "filter": "ztfr",
        }
    )
    data = recipe_base64(frame, {"dec": np.float64(6.0), "exp_time": 50, "channel": "file", "origin": None})
    body = {
        "data": data,
        "obj_id": world.source,
        "instrument_id": world.instrument,
        "series_name": "order",
        "series_obj_id": 5,
        "exp_time": 60,
        "channel": None,
    }
    answer = admin.post("/api/photometric_series", json=body)
    assert answer.status_code == 200, answer.text
    stored = get(admin, answer.json()["data"]["id"])
    expected = {"ra": 2.0, "dec": 6.0, "exp_time": 60.0, "filter": "ztfr", "channel": "file", "series_obj_id": "5"}
    assert {name: stored[name] for name in expected} == expected
