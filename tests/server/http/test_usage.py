"""Quotas: what owners use is counted in the transaction of each change, and bounded."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from photseries.server.archive.portions import PORTION_BYTES
from tests.forked import ForkedService
from tests.server.http.test_bulk import nested, send
from tests.server.http.test_errors import check_error
from tests.server.http.test_series import get, patch, post
from tests.support import columns

PATH = "/api/photometric_series"
MAX_SERIES = 4
MAX_BYTES = 2_000_000


@pytest.fixture(scope="module")
def service(database_url, directory):
    directory.mkdir()
    quotas = {"quotas__series": MAX_SERIES, "quotas__bytes": MAX_BYTES}
    with ForkedService(directory, database__url=database_url, **quotas) as running:
        yield running


def usage(client):
    data = client.get("/api/usage").json()["data"]
    assert data["limits"] == {"series": MAX_SERIES, "bytes": MAX_BYTES}
    return {one["username"]: (one["series"], one["bytes"], one["kept_bytes"]) for one in data["usage"]}


def test_usage_counts_series_and_the_bytes_of_current_and_kept_files(service, admin, world, directory):
    def size(name):
        return (directory / "store" / name).stat().st_size

    with service.client(world.tokens["anna"]) as anna:
        assert usage(anna) == {"anna": (0, 0, 0)}
        first = post(anna, world, data=columns(rows=300))
        second = post(anna, world, data=columns(rows=20), channel="b")
        files = [size(get(anna, number)["filename"]) for number in (first, second)]
        assert usage(anna) == {"anna": (2, sum(files), 0)}
        patch(anna, first, data=columns(rows=500), group_ids=[world.crew])
        patch(anna, first, group_ids=[])
        now = size(get(anna, first)["filename"])
        assert now > files[0]
        assert usage(anna) == {"anna": (2, now + files[1], files[0])}
        anna.delete(f"{PATH}/{second}")
        assert usage(anna) == {"anna": (1, now, sum(files))}
        anna.delete(f"{PATH}/{second}/history")
        anna.delete(f"{PATH}/{first}/history")
        assert usage(anna) == {"anna": (1, now, 0)}
    world.make("users", username="owns nothing")
    everybody = usage(admin)
    assert everybody["anna"] == (1, now, 0)
    assert everybody["owns nothing"] == (0, 0, 0)


def test_more_series_than_the_quota_are_refused_however_many_come_at_once(service, world, directory):
    stored = set((directory / "store").rglob("*.h5"))
    with service.client(world.tokens["ben"]) as ben, ThreadPoolExecutor(8) as pool:
        bodies = [
            world.fields(series_name="quota", channel=f"{number}", data=columns()) for number in range(2 * MAX_SERIES)
        ]
        answers = list(pool.map(lambda body: ben.post(PATH, json=body), bodies))
        refused = [answer for answer in answers if answer.status_code != 200]
        assert len(refused) == MAX_SERIES
        for answer in refused:
            error = check_error(answer, 507, "quota_exceeded")
            assert error["message"] == "The quota of ben is 4 series; this would make 5."
            assert (error["data"]["quota"], error["data"]["limit"]) == ("series", MAX_SERIES)
        assert usage(ben)["ben"][0] == MAX_SERIES
        assert len(set((directory / "store").rglob("*.h5")) - stored) == MAX_SERIES
        kept = next(answer.json()["data"]["id"] for answer in answers if answer.status_code == 200)
        patch(ben, kept, origin="a change is no new series")
        ben.delete(f"{PATH}/{kept}")
        assert (
            ben.post(PATH, json=world.fields(series_name="quota", channel="room again", data=columns())).status_code
            == 200
        )


@pytest.mark.parametrize("length", [MAX_BYTES, PORTION_BYTES], ids=["in a portion", "in the next portion"])
def test_a_repeated_key_is_tried_when_its_first_series_was_refused(length, service, world):
    tables = [columns(rows) for rows in (length // 24 + 1, 5, 5, 5)]
    body = nested(world, f"{length}", tables).drop_columns("series_obj_id")
    body = body.append_column("series_obj_id", [["a", "b", "a", "a"]])
    with service.client(world.tokens["olga"]) as olga:
        lines, last = send(olga, body)
    assert lines[0]["data"]["code"] == "quota_exceeded"
    assert [line["data"].get("outcome") for line in lines[1:3]] == ["created", "created"]
    assert (lines[3]["data"]["code"], lines[3]["data"]["index"]) == ("duplicate", 2)
    assert last["data"] == {"series": 4, "created": 2, "skipped": 0, "replaced": 0, "failed": 2}


def test_kept_revisions_count_against_the_quota_of_bytes(service, world, directory):
    with service.client(world.tokens["sam"]) as sam, service.client(world.tokens["ben manages"]) as manager:
        series = post(sam, world, data=columns(rows=15_000), group_ids="all", channel="sam", origin="x")
        length = (directory / "store" / get(sam, series)["filename"]).stat().st_size
        room = MAX_BYTES // length
        assert room >= 2
        for number in range(room - 1):
            patch(manager, series, origin=f"{number}")
        before, revision = usage(sam)["sam"], get(sam, series)["revision"]
        assert before == (1, length, (room - 1) * length)
        for answer in (
            manager.patch(f"{PATH}/{series}", json={"origin": "z"}),
            sam.patch(f"{PATH}/{series}", json={"data": columns(rows=15_000, seed=1)}),
            sam.post(PATH, json=world.fields(series_name="quota", channel="second", data=columns(rows=15_000))),
        ):
            error = check_error(answer, 507, "quota_exceeded")
            made, earlier = re.search(
                r"would make ([0-9,]+), including ([0-9,]+) of earlier", error["message"]
            ).groups()
            assert int(made.replace(",", "")) == pytest.approx((room + 1) * length, abs=100), "names are in the file"
            assert int(earlier.replace(",", "")) in (before[2], before[2] + length)
            assert error["data"]["usage"]["username"] == "sam"
        assert (usage(sam)["sam"], get(sam, series)["revision"]) == (before, revision)
        patch(sam, series, group_ids=[])
        assert sam.delete(f"{PATH}/{series}/history").status_code == 200
        patch(sam, series, origin="room again")
