"""A bulk upload writes files ahead of their rows: where it ends early, none is left over."""

import tempfile
import threading

import pyarrow as pa
import pytest

from photseries.errors import UnavailableError
from photseries.server.archive.bulk import BulkOptions
from photseries.server.archive.portions import PORTION
from photseries.server.catalogue import bulk
from tests.server.archive import test_order
from tests.server.archive.test_bulk_cost import night
from tests.server.http.test_bulk import arrow, open_files


@pytest.fixture
def body():
    with tempfile.TemporaryFile() as file:
        file.write(arrow(night("ahead", 4 * PORTION, rows=3)))
        file.flush()
        yield file.fileno()


def refused(*_, **__):
    raise UnavailableError("The database is away.")


def files(services):
    return {blob.key for blob in services.store.scan()}


def bulk_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("bulk")]


def test_upload_of_a_departed_client_leaves_nothing(services, principal, body):
    for _ in services.bulk.upload(principal, body, BulkOptions("arrow", dry_run=True)):
        pass  # the first body starts the fork server
    before, descriptors = files(services), len(open_files("self"))
    outcomes = services.bulk.upload(principal, body, BulkOptions("arrow"))
    assert next(outcomes) == []
    stored = next(outcomes)
    assert len(bulk_threads()) == 2
    outcomes.close()
    assert bulk_threads() == []
    assert len(open_files("self")) == descriptors
    assert {one.status for one in stored} == {"created"}
    assert len(files(services) - before) == PORTION


def test_files_without_rows_are_removed_when_the_catalogue_fails(services, principal, body, monkeypatch):
    before = files(services)
    outcomes = services.bulk.upload(principal, body, BulkOptions("arrow"))
    stored = [next(outcomes), next(outcomes)]
    monkeypatch.setattr(services.catalogue, "transaction", refused)
    failed = next(outcomes)
    assert {type(one.error) for one in failed} == {UnavailableError}
    with pytest.raises(UnavailableError):
        next(outcomes)
    assert len(files(services) - before) == len(stored[1]) == PORTION


def test_replacement_waits_for_its_outcome(services, principal, monkeypatch):
    """What an upload has replaced when it fails is what its answer says."""

    def upload(several):
        with tempfile.TemporaryFile() as file:
            file.write(arrow(several))
            file.flush()
            yield from services.bulk.upload(principal, file.fileno(), BulkOptions("arrow", if_exists="replace"))

    existing = night("old", PORTION, rows=3)
    stored = [one for some in upload(existing) for one in some]
    outcomes = upload(pa.concat_tables([night("new", 2 * PORTION, rows=3), night("old", PORTION, rows=4)]))
    received = [next(outcomes), next(outcomes)]
    monkeypatch.setattr(services.bulk._blobs, "transaction", refused)
    received.append(next(outcomes))
    with pytest.raises(UnavailableError):
        next(outcomes)
    monkeypatch.undo()
    assert [len(some) for some in received] == [0, PORTION, PORTION]
    revisions = {services.reader.get(principal, one.id).revision for one in stored}
    assert revisions == {1}


def test_a_series_that_is_deleted_before_it_is_replaced_is_created(services, principal, monkeypatch):
    def upload():
        with tempfile.TemporaryFile() as file:
            file.write(arrow(night("deleted", 2, rows=3)))
            file.flush()
            found = services.bulk.upload(principal, file.fileno(), BulkOptions("arrow", if_exists="replace"))
            return [one for some in found for one in some]

    def replace(principal, series_id, upload):
        services.archive.delete(principal, series_id)
        return replaced(principal, series_id, upload)

    existing, replaced = upload(), services.archive.replace
    monkeypatch.setattr(services.archive, "replace", replace)
    again = upload()
    assert [one.status for one in (*existing, *again)] == ["created"] * 4
    assert not {one.id for one in existing} & {one.id for one in again}


@pytest.mark.slow
def test_a_client_that_pauses_loses_nothing(services, principal, body, monkeypatch):
    """Files written ahead that are too old for a transaction are written again."""
    before = files(services)
    outcomes = services.bulk.upload(principal, body, BulkOptions("arrow"))
    received = [next(outcomes), next(outcomes)]
    monkeypatch.setattr("photseries.server.archive.blobs.BlobWriter.is_recent", lambda self, began: False)
    received += list(outcomes)
    assert {one.status for some in received for one in some} == {"created"}
    assert len(files(services) - before) == 4 * PORTION


def test_statistics_of_keys_are_refreshed_when_the_series_have_doubled(services, principal, monkeypatch):
    monkeypatch.setattr(bulk, "FEW", 1)
    known = []
    for number in range(8):
        services.archive.create(principal, test_order.body(channel=f"{number}"))
        with services.catalogue.transaction() as connection:
            bulk.refresh_statistics(connection)
            known.append(connection.execute(bulk._KNOWN).scalar_one())
    assert known[2:] == [3, 3, 3, 3, 7, 7]
    assert max(known[:2]) <= 0, "few series need no statistics"
