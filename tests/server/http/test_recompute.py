"""The version of the statistics over HTTP: in answers, in the tags of answers, and in what /readyz says."""

import psycopg2
import pytest

from tests.support import columns

PATH = "/api/photometric_series"


@pytest.fixture
def aged(admin, world, database_url):
    """The path of a series; a function that makes its row one of the first version."""
    fields = world.fields(series_name="version", data=columns(5))
    number = admin.post(PATH, json=fields).json()["data"]["id"]

    def age():
        with psycopg2.connect(database_url.replace("+psycopg2", "")) as connection, connection.cursor() as cursor:
            cursor.execute("UPDATE photometric_series SET statistics_version = 1 WHERE id = %s", [number])

    yield f"{PATH}/{number}", age
    admin.delete(f"{PATH}/{number}")


def test_answers_have_the_version_and_their_tags_depend_on_it(admin, aged):
    path, age = aged
    forms = [(path, {"dataFormat": name}) for name in ("json", "none")] + [(f"{path}.csv", {})]
    tags = [admin.get(where, params=params).headers["ETag"] for where, params in forms]
    assert admin.get(path).json()["data"]["statistics_version"] == 3
    age()
    for (where, params), tag in zip(forms, tags, strict=True):
        answer = admin.get(where, params=params, headers={"If-None-Match": tag})
        assert answer.status_code == 200
        assert answer.headers["ETag"] != tag
    assert admin.get(path).json()["data"]["statistics_version"] == 1
    # The revision is the same: who has seen the older numbers may still change the series.
    assert admin.patch(path, json={"channel": "x"}, headers={"If-Match": tags[0]}).status_code == 200


def test_readyz_counts_the_rows_behind(admin, aged):
    _, age = aged
    assert admin.get("/readyz").json()["data"]["statistics"] == {"behind": 0}
    age()
    assert admin.get("/readyz").json()["data"]["statistics"] == {"behind": 1}
