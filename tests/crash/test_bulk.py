"""A bulk upload that is killed: what it stored is whole, and the same body with ifExists=skip completes it."""

import httpx
import pytest

from photseries.server.archive.portions import PORTION
from tests.crash.kills import PATH
from tests.crash.test_kills import cases, was_killed
from tests.forked import ForkedService
from tests.server.http.test_bulk import ARROW, BULK, arrow, nested, send
from tests.support import columns

pytestmark = pytest.mark.slow

SERIES = 2 * PORTION + 10


@pytest.mark.parametrize("case", cases(verb="bulk"))
def test_killed_bulk_upload_leaves_complete_series(case, place, admin, world, record_property):
    record_property("killed", (case.verb, case.point))
    name = f"bulk {case.point}".replace(":", "")
    table = nested(world, name, [columns(2, seed=seed) for seed in range(SERIES)])
    place.unlink_earlier(3600)
    # In the second portion: points of single files are reached once for each of them.
    each = case.point in ("store: partial file made", "store: partial file written", "store: blob linked")
    fault = f"kill@{case.point}@{PORTION + 7 if each or case.point.endswith('removed') else 2}"
    doomed = ForkedService(place.directory, **place.store_settings, database__url=place.url, fault=fault)
    with doomed.client() as client, pytest.raises(httpx.TransportError):
        client.post(BULK, content=arrow(table), headers={"Content-Type": ARROW})
    assert was_killed(doomed)

    place.check_invariant()
    # The files of the second portion are written while the rows of the first one are inserted.
    portions = {2} if case.point == "write: committed" else {0, 1} if case.point.startswith("store:") else {1}
    stored = admin.get(PATH, params={"seriesName": name}).json()["data"]["totalMatches"]
    assert stored in {number * PORTION for number in portions}
    place.check_swept()
    lines, last = send(admin, table, ifExists="skip")
    assert last["data"]["skipped"] == stored
    assert last["data"]["created"] == SERIES - stored
    for line in lines[:: PORTION // 2]:
        shown = admin.get(f"{PATH}/{line['data']['id']}", params={"dataFormat": "json"}).json()["data"]
        assert shown["data"] == columns(2, seed=line["index"])
    place.check_invariant()
    place.check_swept()


def test_killed_atomic_upload_stores_all_or_nothing(place, admin, world):
    table = nested(world, "abort", [columns(2, seed=seed) for seed in range(SERIES)])
    settings = {**place.store_settings, "database__url": place.url, "fault": "kill@bulk: rows inserted@2"}
    doomed = ForkedService(place.directory, **settings)
    with doomed.client() as client, pytest.raises(httpx.TransportError):
        client.post(BULK, content=arrow(table), headers={"Content-Type": ARROW}, params={"onError": "abort"})
    assert was_killed(doomed)
    place.check_invariant()
    assert admin.get(PATH, params={"seriesName": "abort"}).json()["data"]["totalMatches"] == 0
    place.check_swept()
    assert send(admin, table, onError="abort")[1]["data"]["created"] == SERIES


@pytest.mark.parametrize("point", ["store: partial file written", "store: blob linked"])
def test_bulk_upload_on_a_full_disk_leaves_nothing(point, place, admin, world):
    """Of the portion that had no room, that is: what was answered before is stored."""
    name = f"full {point}".replace(":", "")
    table = nested(world, name, [columns(2, seed=seed) for seed in range(SERIES)])
    settings = {**place.store_settings, "database__url": place.url, "fault": f"error:ENOSPC@{point}@{PORTION + 7}"}
    with ForkedService(place.directory, **settings) as full, full.client() as client:
        answer = client.post(BULK, content=arrow(table), headers={"Content-Type": ARROW})
    text = answer.text.splitlines()
    assert len(text) == 2 * PORTION + 1
    assert '"index"' not in text[-1]
    assert "store is full" in text[-1]
    place.check_invariant()
    assert admin.get(PATH, params={"seriesName": name}).json()["data"]["totalMatches"] == PORTION
    place.check_swept()
