"""Deleted series and earlier revisions come back while their files are kept."""

import dataclasses
import re

import psycopg2
import pytest

from photseries.errors import ExpiredError, QuotaExceededError
from photseries.server.archive import Restorer
from photseries.server.catalogue import blobs
from photseries.server.settings import QuotaSettings
from tests.server.archive.test_order import body
from tests.server.http.test_errors import check_error
from tests.server.http.test_series import get, patch, post
from tests.support import columns

PATH = "/api/photometric_series"

#: What a restore changes of a series that was deleted.
CHANGED = {"revision", "modified"}


@pytest.fixture
def anna(service, world):
    with service.client(world.tokens["anna"]) as client:
        yield client


def restore(client, series, revision=None, **options):
    body = None if revision is None else {"revision": revision}
    return client.post(f"{PATH}/{series}/restore", json=body, **options)


def restored(client, series, revision=None):
    answer = restore(client, series, revision)
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["id"] == series
    return answer.json()["data"]["revision"]


def last_event(client, series):
    return client.get(f"{PATH}/{series}/history").json()["data"]["history"][-1]


def execute(url, statement, *values):
    connection = psycopg2.connect(url.replace("+psycopg2", ""))
    with connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
    connection.close()


def test_a_deleted_series_comes_back_as_it_was(anna, world):
    series = post(
        anna, world, group_ids=[world.crew], stream_ids=[world.feed], batch="back", altdata={"a": [1]}, magref=17.5,
        exp_time=None, data={**columns(), "exptime": [float(n) for n in range(10)]},
    )  # fmt: skip
    before = get(anna, series)
    anna.delete(f"{PATH}/{series}")
    assert restored(anna, series) == 3
    after = get(anna, series)
    assert {name for name in before if before[name] != after[name]} == CHANGED
    event = last_event(anna, series)
    assert (event["action"], event["revision"], event["hash"]) == ("restore", 3, before["hash"])
    assert event["changed"]["revision"] == {"from": 2, "to": 1}
    # exp_time was inferred, so an append still infers it again.
    rows = {"data": {"mjd": [70000.0], "flux": [1.0], "fluxerr": [1.0], "exptime": [1000.0]}}
    assert anna.post(f"{PATH}/{series}/append", json=rows).status_code == 200
    assert (before["exp_time"], get(anna, series)["exp_time"]) == (4.5, 5.0)


def test_an_earlier_revision_becomes_the_newest_and_sharing_stays(anna, world):
    series = post(anna, world, channel="a", batch="first", origin="x")
    before = get(anna, series)
    patch(anna, series, channel="b", origin=None, data=columns(20, seed=1), batch="second")
    patch(anna, series, group_ids=[world.crew])
    assert restored(anna, series, 1) == 4
    after = get(anna, series)
    assert {name for name in before if before[name] != after[name]} == {*CHANGED, "group_ids", "groups"}
    assert world.crew in after["group_ids"]
    changed = last_event(anna, series)["changed"]
    assert changed["channel"] == {"from": "b", "to": "a"}
    assert changed["revision"] == {"from": 3, "to": 1}
    assert restored(anna, series, 1) == 4, "it is what it is already"
    assert restored(anna, series, 3) == 5
    assert (get(anna, series)["channel"], get(anna, series)["batch"]) == ("b", "second")


def test_an_earlier_revision_of_a_deleted_series(anna, world):
    series = post(anna, world, channel="a")
    patch(anna, series, channel="b")
    anna.delete(f"{PATH}/{series}")
    assert restored(anna, series, 1) == 4
    assert get(anna, series)["channel"] == "a"
    assert restored(anna, series, 2) == 5
    anna.delete(f"{PATH}/{series}")
    assert restored(anna, series) == 7
    assert get(anna, series)["channel"] == "b"


def test_restore_requires_permission(service, anna, world):
    shared = post(anna, world, group_ids=[world.crew])
    own = post(anna, world)
    for series in (shared, own):
        patch(anna, series, channel="b")
    names = ("anna reads", "ben", "ben manages", "olga manages")
    for deleted in (False, True):
        if deleted:
            anna.delete(f"{PATH}/{shared}")
            anna.delete(f"{PATH}/{own}")
        for name, status, of_own in zip(names, (403, 403, 200, 404), (403, 404, 404, 404), strict=True):
            with service.client(world.tokens[name]) as client:
                answer = restore(client, shared, 1)
                assert answer.status_code == status, (name, deleted, answer.text)
                check_error(restore(client, own, 1), of_own)
        assert get(anna, shared)["owner_id"] == world.users["anna"]


def test_a_delete_that_recorded_no_sharing(service, anna, admin, world, database_url):
    """As an earlier version of the service wrote it: the owner's own group only."""
    series = post(anna, world, group_ids=[world.crew], stream_ids=[world.feed])
    created = get(anna, series)["created_at"]
    anna.delete(f"{PATH}/{series}")
    execute(database_url, "UPDATE series_history SET changed = '{}' WHERE series_id = %s AND revision = 2", series)
    with service.client(world.tokens["ben manages"]) as ben:
        check_error(restore(ben, series), 404)
    restored(anna, series)
    after = get(admin, series)
    assert [group["name"] for group in after["groups"]] == ["anna"]
    assert after["stream_ids"] == []
    assert after["created_at"][:19] == created[:19]


def test_occupied_key_prevents_a_restore(service, anna, world):
    fields = {"series_name": "taken", "series_obj_id": "restore"}
    series = post(anna, world, **fields)
    anna.delete(f"{PATH}/{series}")
    holder = post(anna, world, **fields)
    assert check_error(restore(anna, series), 409, "duplicate")["data"]["id"] == holder
    anna.delete(f"{PATH}/{holder}")
    with service.client(world.tokens["olga"]) as olga:
        hidden = post(olga, world, **fields)
        assert "id" not in check_error(restore(anna, series), 409, "duplicate")["data"]
        olga.delete(f"{PATH}/{hidden}")
    assert restored(anna, series) == 3


def test_deleted_reference_prevents_a_restore(anna, admin, world):
    source = world.make("sources", id="short-lived", ra=1, dec=2)
    instrument = world.make("instrument", name="short-lived")
    series = post(anna, world, obj_id=source, instrument_id=instrument)
    anna.delete(f"{PATH}/{series}")
    for path in (f"/api/sources/{source}", f"/api/instrument/{instrument}"):
        admin.delete(path).raise_for_status()
    refused = check_error(restore(anna, series), 409, "missing_reference")
    assert set(refused["data"]["fields"]) == {"obj_id", "instrument_id"}
    assert "short-lived" in refused["message"]
    world.make("sources", id=source, ra=1, dec=2)
    assert set(check_error(restore(anna, series), 409)["data"]["fields"]) == {"instrument_id"}
    world.make("instrument", name="again", id=instrument)
    assert restored(anna, series) == 3


def test_a_group_that_was_deleted_meanwhile_is_left_out(anna, admin, world):
    group = world.make("groups", name="short-lived", user_ids=[world.users["anna"]])
    series = post(anna, world, group_ids=[group, world.crew])
    anna.delete(f"{PATH}/{series}")
    admin.delete(f"/api/groups/{group}").raise_for_status()
    restored(anna, series)
    assert {one["name"] for one in get(anna, series)["groups"]} == {"crew", "anna"}


def test_restore_after_the_grace_fails(anna, world, database_url):
    series = post(anna, world)
    patch(anna, series, channel="b")
    anna.delete(f"{PATH}/{series}")
    execute(
        database_url,
        "UPDATE unlinked_blobs SET unlinked_at = unlinked_at - interval '25 hours' WHERE filename = "
        "(SELECT filename FROM series_history WHERE series_id = %s AND revision = 1)",
        series,
    )
    check_error(restore(anna, series, 1), 410, "expired")
    assert restored(anna, series) == 4
    check_error(restore(anna, series, 1), 410, "expired")


def test_invalid_restores_are_refused(anna, world):
    series = post(anna, world)
    check_error(restore(anna, series), 400)
    check_error(restore(anna, series, 2), 404)
    for wrong in ({"revision": 0}, {"revision": "x"}, {"revisions": 1}):
        check_error(anna.post(f"{PATH}/{series}/restore", json=wrong), 400)
    anna.delete(f"{PATH}/{series}")
    check_error(restore(anna, series, 2), 404)
    check_error(restore(anna, 999999), 404)
    check_error(restore(anna, series, headers={"If-Match": f'"{series}.1.none"'}), 412, "precondition_failed")
    assert restore(anna, series, headers={"If-Match": f'"{series}.2.none"'}).status_code == 200


def test_purged_revision_cannot_be_restored(anna, world):
    series, deleted = post(anna, world), post(anna, world)
    patch(anna, series, channel="b")
    anna.delete(f"{PATH}/{deleted}")
    for number in (series, deleted):
        assert anna.delete(f"{PATH}/{number}/history").status_code == 200
    for number, revision in ((series, 1), (deleted, 1), (deleted, None)):
        assert "purged" in check_error(restore(anna, number, revision), 410, "expired")["message"]
    patch(anna, series, channel="c")
    assert restored(anna, series, 3) == 5
    assert get(anna, series)["channel"] == "b"


@pytest.mark.parametrize("batch", ["second", None])
def test_restore_after_a_purge_has_the_batch_of_the_purged_series(anna, world, batch):
    series = post(anna, world, batch="first")
    patch(anna, series, batch=batch)
    assert anna.delete(f"{PATH}/{series}/history").status_code == 200
    patch(anna, series, channel="b", batch="third")
    assert restored(anna, series, 3) == 5
    assert get(anna, series)["batch"] == batch
    anna.delete(f"{PATH}/{series}")
    assert restored(anna, series) == 7
    assert get(anna, series)["batch"] == batch


def test_surplus_that_a_sweep_has_claimed_is_gone(services, principal):
    """Beyond store.revisions, within the grace."""
    series = services.archive.create(principal, body()).id
    for number in range(4):
        services.archive.update(principal, series, {"channel": str(number)})
    settings = dataclasses.replace(services.config.store, revisions=2)
    with services.catalogue.transaction() as connection:
        connection.exec_driver_sql("UPDATE unlinked_blobs SET unlinked_at = unlinked_at - interval '1 hour'")
        assert len(blobs.claim_due(connection, settings)) == 2
    for revision in (2, 3):
        with pytest.raises(ExpiredError):
            services.restorer.restore(principal, series, revision)
    assert services.restorer.restore(principal, series, 1) == 6


def test_a_restore_counts_for_quotas(services, principal):
    series = services.archive.create(principal, body()).id
    services.archive.delete(principal, series)
    services.archive.create(principal, body(channel="other"))
    config = dataclasses.replace(services.config, quotas=QuotaSettings(series=1))
    with pytest.raises(QuotaExceededError):
        Restorer(services.catalogue, services.store, config).restore(principal, series)
    assert services.restorer.restore(principal, series) == 3
    (used,) = services.reader.usage(principal)
    files = {blob.key: blob.size for blob in services.store.scan()}
    assert (used.series, used.bytes, used.kept_bytes) == (2, sum(files.values()), 0)


def shown(client, series):
    """The page of a series, with the buttons on it, which wait for their script."""
    answer = client.get(f"/series/{series}")
    return answer.status_code, re.findall(
        r'<button type="button" class="(?:quiet )?restore" ([^>]*) inert>', answer.text
    )


def test_pages_offer_restore_to_permitted_users(service, anna, world):
    series = post(anna, world, channel="a", group_ids=[world.crew])
    patch(anna, series, channel="b")
    with service.client() as ben, service.client() as reader:
        anna.post("/sign-in", data={"token": world.tokens["anna"]})
        ben.post("/sign-in", data={"token": world.tokens["ben manages"]})
        reader.post("/sign-in", data={"token": world.tokens["ben"]})
        button = f'data-id="{series}" data-revision="1"'
        assert shown(anna, series) == shown(ben, series) == (200, [button])
        assert shown(reader, series) == (200, [])
        restored(anna, series, 1)
        assert shown(anna, series) == (200, [f'data-id="{series}" data-revision="2"']), "the current state has none"
        anna.delete(f"{PATH}/{series}")
        assert shown(anna, series) == shown(ben, series) == (404, [f'data-id="{series}"'])
        assert shown(reader, series) == (404, [])
        assert "No photometric series" in reader.get(f"/series/{series}").text
