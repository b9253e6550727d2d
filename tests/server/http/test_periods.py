"""The periods of a series through HTTP, the client and the command: who may store which, and which searches find."""

import itertools
import json
import re

import numpy as np
import pytest
from click.testing import CliRunner

from photseries.cli import main
from photseries.client import Client
from tests.support import columns, data

PATH = "/api/photometric_series"
PERIOD = ("period", "period_power", "period_false_alarm", "period_error", "period_method")

_numbers = itertools.count()


@pytest.fixture
def series(service, world):
    """The number of a series of anna's that the group of ben sees."""
    with service.client(world.tokens["anna"]) as anna:
        body = world.fields(series_name=f"periods/{next(_numbers)}", group_ids=[world.crew], data=columns(30))
        return data(anna.post(PATH, json=body))["id"]


@pytest.fixture
def client_of(service, world):
    opened = {name: service.client(token) for name, token in world.tokens.items()}
    yield opened
    for client in opened.values():
        client.close()


def put(client, number, period=0.55, method="by eye", **more):
    return client.put(f"{PATH}/{number}/periods", json={"period": period, "method": method, **more})


def listed(client, number):
    return data(client.get(f"{PATH}/{number}/periods"))["periods"]


def fields(client, number):
    found = data(client.get(f"{PATH}/{number}", params={"dataFormat": "none"}))
    return tuple(found[name] for name in PERIOD)


def test_new_series_has_no_period(client_of, series):
    anna = client_of["anna"]
    assert fields(anna, series) == (None,) * 5
    assert listed(anna, series) == []
    in_list, *_ = data(anna.get(PATH, params={"instrumentID": 7}))["series"]
    assert set(PERIOD) <= set(in_list)


def test_a_preferred_period_is_that_of_the_series(client_of, series):
    anna, ben = client_of["anna"], client_of["ben"]
    assert put(anna, series).status_code == 200
    assert fields(anna, series) == (None,) * 5
    assert put(anna, series, 0.5502, preferred=True).status_code == 200
    assert fields(ben, series) == (0.5502, None, None, None, "by eye")
    (only,) = listed(ben, series)
    assert (only["period"], only["method"], only["preferred"], only["who"]) == (0.5502, "by eye", True, "anna")
    assert only["when"].startswith("20")
    assert put(anna, series, 1.1, "pdm", preferred=True).status_code == 200
    assert [(one["period"], one["preferred"]) for one in listed(anna, series)] == [(1.1, True), (0.5502, False)]
    assert fields(anna, series)[0] == 1.1


def test_who_sees_a_series_states_periods_and_who_may_change_it_prefers_one(client_of, series):
    anna, ben = client_of["anna"], client_of["ben"]
    assert put(ben, series, 2.0, "bls").status_code == 200
    assert put(ben, series, 2.0, "bls", preferred=True).status_code == 403
    assert put(client_of["ben manages"], series, 3.0, "pdm", preferred=True).status_code == 200
    assert fields(anna, series)[0] == 3.0
    assert {(one["who"], one["period"]) for one in listed(anna, series)} == {("ben", 2.0), ("ben", 3.0)}
    for stranger in ("olga", "olga manages"):
        assert put(client_of[stranger], series).status_code == 404
        assert client_of[stranger].get(f"{PATH}/{series}/periods").status_code == 404
    assert put(client_of["anna reads"], series).status_code == 403
    assert client_of["anna reads"].get(f"{PATH}/{series}/periods").status_code == 200


def test_users_remove_their_own_periods(client_of, series):
    anna, ben = client_of["anna"], client_of["ben"]
    for client, method in ((anna, "pdm"), (anna, "by eye"), (ben, "pdm")):
        assert put(client, series, 0.7, method).status_code == 200
    assert put(anna, series, 0.7, "bls", preferred=True).status_code == 200
    assert data(anna.delete(f"{PATH}/{series}/periods", params={"method": "bls"})) == {"deleted": 1}
    assert fields(anna, series) == (None,) * 5
    assert data(anna.delete(f"{PATH}/{series}/periods")) == {"deleted": 2}
    assert [(one["who"], one["method"]) for one in listed(anna, series)] == [("ben", "pdm")]
    assert anna.delete(f"{PATH}/{series}").status_code == 200
    assert ben.get(f"{PATH}/{series}/periods").status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"method": "pdm"}, "period"),
        ({"period": 0.5}, "method"),
        ({"period": 0, "method": "pdm"}, "period"),
        ({"period": -1, "method": "pdm"}, "period"),
        ({"period": "long", "method": "pdm"}, "period"),
        ({"period": 0.5, "method": ""}, "method"),
        ({"period": 0.5, "method": "x" * 501}, "method"),
        ({"period": 0.5, "method": "pdm", "preferred": "maybe"}, "preferred"),
        ({"period": 0.5, "method": "pdm", "power": 1}, "power"),
    ],
)
def test_invalid_period_is_refused(client_of, series, body, field):
    answer = client_of["anna"].put(f"{PATH}/{series}/periods", json=body)
    assert (answer.status_code, list(answer.json()["data"]["fields"])) == (400, [field])


def test_a_period_that_is_preferred_outlives_new_rows(client_of, series):
    anna = client_of["anna"]
    assert put(anna, series, 0.6, preferred=True).status_code == 200
    before = anna.get(f"{PATH}/{series}", params={"dataFormat": "none"})
    assert anna.patch(f"{PATH}/{series}", json={"data": columns(40)}).status_code == 200
    assert fields(anna, series)[0] == 0.6
    assert put(anna, series, 0.61, preferred=True).status_code == 200
    again = anna.get(
        f"{PATH}/{series}", params={"dataFormat": "none"}, headers={"If-None-Match": before.headers["ETag"]}
    )
    assert again.status_code == 200


def test_periods_are_searched_and_sorted(client_of, world):
    anna = client_of["anna"]
    numbers = {}
    for period in (0.25, 0.5, 1.0, None):
        body = world.fields(series_name=f"sorted/{period}", data=columns(30))
        numbers[period] = data(anna.post(PATH, json=body))["id"]
        if period:
            assert put(anna, numbers[period], period, preferred=True).status_code == 200

    def found(**params):
        listed = data(anna.get(PATH, params={"sortBy": "period", **params}))["series"]
        return [one["period"] for one in listed if one["series_name"].startswith("sorted/")]

    assert found() == [0.25, 0.5, 1.0, None]
    assert found(minPeriod=0.3) == [0.5, 1.0]
    assert found(maxPeriod=0.5, sortOrder="desc") == [0.5, 0.25]
    assert found(minPeriod=0.1, maxFalseAlarm=1) == []


def test_the_client_and_the_command_store_periods(service, world, series):
    with Client(service.url, world.tokens["anna"]) as client:
        client.put_period(series, np.float64(0.33), "bls", preferred=True)
        client.put_period(series, 0.66, "pdm")
        assert [one["period"] for one in client.periods(series)] == [0.33, 0.66]
        assert client.get(series).metadata["period"] == 0.33
        assert series in list(client.find(min_period=0.32, max_period=0.34)["id"])
        client.delete_periods(series, "pdm")
    environment = {"PHOTSERIES_URL": service.url, "PHOTSERIES_TOKEN": world.tokens["anna"]}

    def run(*words):
        outcome = CliRunner().invoke(main, ["periods", str(series), *words], env=environment)
        assert outcome.exit_code == 0, outcome.output
        return outcome.output

    assert [one["method"] for one in json.loads(run("--json"))] == ["bls"]
    assert re.search(r"by eye .* 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$", run("--put", "0.7", "--method", "by eye"), re.M)
    assert len(json.loads(run("--put", "0.8", "--method", "by eye", "--preferred", "--json"))) == 2
    assert json.loads(run("--delete", "--json")) == []


def test_a_user_stores_a_bounded_number_of_periods(client_of, series):
    """Everybody who sees the series gets all of them."""
    ben = client_of["ben"]
    before = len(listed(ben, series))
    answers = [put(ben, series, method=f"bounded {number}") for number in range(51)]
    assert [answer.status_code for answer in answers] == [200] * 50 + [400]
    assert "50 methods" in answers[50].json()["data"]["fields"]["method"][0]
    assert put(ben, series, 7.5, method="bounded 3").status_code == 200
    assert len(listed(ben, series)) == before + 50
    assert ben.delete(f"{PATH}/{series}/periods").json()["data"] == {"deleted": 50}
