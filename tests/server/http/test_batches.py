"""Upload batches: which run a series came with, and the undo of a run."""

import base64

import pytest

from photseries.server.archive import batches
from tests.server.archive.test_order import body
from tests.server.http.test_errors import check_error
from tests.server.http.test_restore import execute
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


@pytest.fixture
def anna(service, world):
    with service.client(world.tokens["anna"]) as client:
        yield client


def undo(client, batch, **more):
    answer = client.post(f"{PATH}/undo", json={"batch": batch, **more})
    assert answer.status_code == 200, answer.text
    undone = answer.json()["data"]
    assert undone.pop("next") is None
    return {outcome: ids for outcome, ids in undone.items() if ids}


def state(client, series):
    return {name: value for name, value in get(client, series).items() if name not in ("revision", "modified")}


def append(client, series, batch):
    rows = {"mjd": [70000.0], "flux": [1.0], "fluxerr": [1.0]}
    assert client.post(f"{PATH}/{series}/append", json={"data": rows, "batch": batch}).status_code == 200


def test_undo_deletes_what_was_created_and_restores_what_was_changed(anna, world):
    others = [post(anna, world, batch="earlier", channel=name) for name in "abc"]
    before = [state(anna, series) for series in others]
    created = [post(anna, world, batch="bad run") for _ in range(2)]
    patch(anna, others[0], data=columns(20, seed=2), batch="bad run")
    patch(anna, others[1], origin="wrong", batch="bad run")
    append(anna, others[2], "bad run")
    append(anna, created[1], "bad run")
    expected = {"deleted": created, "restored": others}
    assert undo(anna, "bad run", dryRun=True) == expected
    assert sorted(found(anna, batch="bad run")) == sorted([*created, *others])
    assert undo(anna, "bad run") == expected
    assert [state(anna, series) for series in others] == before
    assert [anna.get(f"{PATH}/{series}").status_code for series in created] == [404, 404]
    assert found(anna, batch="bad run") == []
    revisions = [get(anna, series)["revision"] for series in others]
    assert undo(anna, "bad run") == expected, "what is undone counts as such"
    assert [get(anna, series)["revision"] for series in others] == revisions == [3, 3, 3]
    # The series are again as the batch before left them, which can be undone too.
    assert undo(anna, "earlier") == {"deleted": others}


def test_several_changes_of_one_batch_are_undone_together(anna, world):
    series = post(anna, world, channel="a")
    before = state(anna, series)
    append(anna, series, "several")
    patch(anna, series, group_ids=[world.crew])
    patch(anna, series, channel="b", batch="several")
    assert undo(anna, "several") == {"restored": [series]}
    after = state(anna, series)
    assert {name for name in before if before[name] != after[name]} == {"group_ids", "groups"}, "never the sharing"


def test_undo_skips_series_changed_since(anna, world):
    names = ("patched", "shared", "deleted", "replaced")
    series = {name: post(anna, world, channel=name) for name in names}
    for number in series.values():
        patch(anna, number, origin="batch", batch="left")
    patch(anna, series["patched"], exp_time=1)
    patch(anna, series["shared"], group_ids=[world.crew])
    anna.delete(f"{PATH}/{series['deleted']}")
    patch(anna, series["replaced"], data=columns(seed=9), batch="later run")
    states = {name: state(anna, series[name]) for name in names if name != "deleted"}
    assert undo(anna, "left") == {"changed": sorted(series.values())}
    assert {name: state(anna, series[name]) for name in states} == states


def test_a_purge_is_no_change_by_the_batch_of_its_series(anna, world):
    series = post(anna, world, channel="purged", batch="purged run")
    patch(anna, series, origin="later")
    assert anna.delete(f"{PATH}/{series}/history").status_code == 200
    assert undo(anna, "purged run") == {"changed": [series]}
    assert anna.delete(f"{PATH}/{series}").status_code == 200
    assert undo(anna, "purged run") == {"deleted": [series]}


def test_undo_needs_the_right_to_change(service, anna, admin, world):
    shared, own = post(anna, world, batch="rights", group_ids=[world.crew]), post(anna, world, batch="rights")
    with service.client(world.tokens["ben"]) as ben, service.client(world.tokens["olga"]) as olga:
        assert undo(ben, "rights") == {"forbidden": [shared]}, "ben does not see the other one"
        check_error(olga.post(f"{PATH}/undo", json={"batch": "rights"}), 404)
        check_error(olga.post(f"{PATH}/undo", json={"batch": "rights", "after": -1}), 400)
    with service.client(world.tokens["anna reads"]) as reader:
        assert undo(reader, "rights") == {"forbidden": [shared, own]}
    with service.client(world.tokens["ben manages"]) as ben:
        assert undo(ben, "rights") == {"deleted": [shared]}
    with service.client(world.tokens["sam"]) as sam:
        check_error(sam.post(f"{PATH}/undo", json={"batch": "rights"}), 404)
    assert undo(admin, "rights") == {"deleted": [shared, own]}


def test_readers_do_not_learn_earlier_batches(service, anna, world):
    """The history tells readers no values, and neither does an undo."""
    series = post(anna, world, batch="before it was shared", group_ids=[world.crew])
    patch(anna, series, channel="b", batch="shared")
    with service.client(world.tokens["ben"]) as ben:
        assert undo(ben, "shared", dryRun=True) == {"forbidden": [series]}, "its current batch is visible"
        unknown = check_error(ben.post(f"{PATH}/undo", json={"batch": "unknown", "dryRun": True}), 404)
        earlier = check_error(ben.post(f"{PATH}/undo", json={"batch": "before it was shared", "dryRun": True}), 404)
        assert earlier["message"] == unknown["message"].replace("unknown", "before it was shared")
    with service.client(world.tokens["anna reads"]) as reader:
        assert undo(reader, "before it was shared", dryRun=True) == {"changed": [series]}, "hers"


def test_undo_skips_unrestorable_series(anna, world, database_url):
    expired, taken = (post(anna, world, channel=name, series_obj_id=name) for name in ("expired", "taken"))
    for series in (expired, taken):
        patch(anna, series, series_obj_id="moved", batch="stuck")
    post(anna, world, channel="taken", series_obj_id="taken", series_name=get(anna, taken)["series_name"])
    execute(
        database_url,
        "UPDATE unlinked_blobs SET unlinked_at = unlinked_at - interval '25 hours' WHERE filename = "
        "(SELECT filename FROM series_history WHERE series_id = %s AND revision = 1)",
        expired,
    )
    assert undo(anna, "stuck", dryRun=True) == {"expired": [expired], "restored": [taken]}
    assert undo(anna, "stuck") == {"expired": [expired], "duplicate": [taken]}


def test_interrupted_undo_continues(services, principal, monkeypatch):
    made = [services.archive.create(principal, body(channel=name, batch="long")).id for name in "abc"]
    monkeypatch.setattr(batches, "MAX_DURATION", -1.0)
    after, deleted = 0, []
    while after is not None:
        undone = services.batch_undo.undo(principal, "long", after=after)
        after = undone["next"]
        assert len(undone["deleted"]) == 1
        deleted += undone["deleted"]
    assert deleted == made


@pytest.mark.parametrize("wrong", [{}, {"batch": ""}, {"batch": "x", "dryRun": "yes"}, {"batch": "x", "more": 1}])
def test_a_bad_undo_is_refused(anna, wrong):
    check_error(anna.post(f"{PATH}/undo", json=wrong), 400)


def test_unknown_batch_is_not_found(anna):
    assert "No batch" in check_error(anna.post(f"{PATH}/undo", json={"batch": "nobody's"}), 404)["message"]
