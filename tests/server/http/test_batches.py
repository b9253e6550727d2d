"""Upload batches: which run a series came with."""

import base64

import pytest

from tests.server.http.test_errors import check_error
from tests.server.http.test_series import get, patch, post
from tests.support import columns, recipe_read

PATH = "/api/photometric_series"


def found(client, **criteria):
    return [one["id"] for one in client.get(PATH, params=criteria).json()["data"]["series"]]


def history(client, series):
    return client.get(f"{PATH}/{series}/history").json()["data"]["history"]


def test_a_batch_is_found_and_counted(admin, world):
    first = [post(admin, world, batch="found, 1") for _ in range(2)]
    other = post(admin, world, batch="found 2")
    assert get(admin, other)["batch"] == "found 2"
    assert found(admin, batch='"found, 1"') == first
    assert found(admin, batch='"found, 1",found 2') == [*first, other]
    counted = admin.get(f"{PATH}/summary", params={"batch": '"found, 1",found 2'}).json()["data"]["batch"]
    assert counted == [{"batch": "found, 1", "series": 2}, {"batch": "found 2", "series": 1}]


def test_the_stored_file_has_no_batch(admin, world):
    """SkyPortal refuses keys that it does not know."""
    series = post(admin, world, batch="not in the file")
    _, metadata = recipe_read(base64.b64decode(get(admin, series, dataFormat="hdf5")["data"]))
    assert metadata["obj_id"] == world.source
    assert "batch" not in metadata


def test_a_batch_stays_until_another_one_stores_the_series(admin, world):
    series = post(admin, world, batch="stays 1")
    patch(admin, series, channel="b")
    assert get(admin, series)["batch"] == "stays 1"
    patch(admin, series, data=columns(seed=3), batch="stays 2")
    assert get(admin, series)["batch"] == "stays 2"
    assert history(admin, series)[2]["changed"]["batch"] == {"from": "stays 1", "to": "stays 2"}
    rows = {"data": {name: [value[0] + 1000] for name, value in columns().items()}, "batch": "stays 3"}
    assert admin.post(f"{PATH}/{series}/append", json=rows).status_code == 200
    assert get(admin, series)["batch"] == "stays 3"
    check_error(admin.post(f"{PATH}/{series}/append", json={**rows, "channel": "c"}), 400)


def test_a_batch_that_changes_nothing_else_is_no_change(admin, world):
    series = post(admin, world, channel="a", batch="same 1")
    patch(admin, series, channel="a", batch="same 2")
    assert (get(admin, series)["revision"], get(admin, series)["batch"]) == (1, "same 1")


@pytest.mark.parametrize("batch", ["relabelled", None])
def test_a_series_is_given_another_batch(admin, world, batch):
    series = post(admin, world, batch="label")
    patch(admin, series, batch=batch)
    assert (get(admin, series)["revision"], get(admin, series)["batch"]) == (2, batch)


@pytest.mark.parametrize("batch", ["", "b" * 501, ["a"], "a\0b"])
def test_a_bad_batch_is_refused(admin, world, batch):
    body = world.fields(series_name="bad batch", data=columns(), batch=batch)
    assert "batch" in check_error(admin.post(PATH, json=body), 400)["data"]["fields"]
