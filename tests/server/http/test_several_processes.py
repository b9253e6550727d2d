"""Two services, one database, one store: what is posted to both at once is there once."""

import base64
import concurrent.futures

import pytest

from tests.forked import ForkedService
from tests.support import columns, recipe_read

pytestmark = pytest.mark.slow

ROUNDS = 100


@pytest.fixture(scope="module")
def second(service, directory, database_url):
    with ForkedService(directory, database__url=database_url) as running:
        yield running


def test_peer_1_concurrent_duplicates_are_stored_once(service, second, world, directory):
    with service.client() as one, second.client() as two, concurrent.futures.ThreadPoolExecutor(2) as pool:
        for number in range(ROUNDS):
            body = world.fields(data=columns(seed=number), series_name="race", series_obj_id=number)
            answers = list(
                pool.map(lambda client, body=body: client.post("/api/photometric_series", json=body), (one, two))
            )
            assert sorted(answer.status_code for answer in answers) == [200, 409]
            (series,) = [answer.json()["data"]["id"] for answer in answers if answer.status_code == 200]
            for client in (one, two):
                data = client.get(f"/api/photometric_series/{series}").json()["data"]
                assert data["data"] == body["data"]
    stored = [path for path in (directory / "store").rglob("[!.]*") if path.is_file()]
    assert len(stored) == ROUNDS, "the loser takes its own file back, and no other"


def test_changes_of_different_fields_all_survive(service, second, world):
    changes = {
        "channel": "c", "origin": "o", "limiting_mag": 20.0, "ra_unc": 0.1, "dec_unc": 0.2, "exp_time": 99.0,
        "altdata": {"a": 1}, "time_scale": "tdb",
    }  # fmt: skip
    with service.client() as one, second.client() as two:
        body = world.fields(data=columns(), series_name="concurrent changes")
        series = one.post("/api/photometric_series", json=body).json()["data"]["id"]
        path = f"/api/photometric_series/{series}"

        def change(item):
            number, (name, value) = item
            return (one, two)[number % 2].patch(path, json={name: value}).status_code

        with concurrent.futures.ThreadPoolExecutor(len(changes)) as pool:
            outcomes = list(pool.map(change, enumerate(changes.items())))
        assert outcomes == [200] * len(changes)
        row = one.get(path, params={"dataFormat": "hdf5"}).json()["data"]
    frame, metadata = recipe_read(base64.b64decode(row["data"]))
    assert {name: row[name] for name in changes} == changes
    assert {name: metadata[name] for name in changes} == changes
    assert frame.to_dict("list") == body["data"]
    assert row["revision"] == 1 + len(changes)
