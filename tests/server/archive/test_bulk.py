"""A bulk upload writes files ahead of their rows: where it ends early, none is left over."""

import tempfile

import pytest

from photseries.errors import UnavailableError
from photseries.server.archive.bulk import BulkOptions
from photseries.server.archive.portions import PORTION
from tests.server.archive.test_bulk_cost import night
from tests.server.http.test_bulk import arrow


@pytest.fixture
def body():
    with tempfile.TemporaryFile() as file:
        file.write(arrow(night("ahead", 4 * PORTION, rows=3)))
        file.flush()
        yield file.fileno()


def files(services):
    return {blob.key for blob in services.store.scan()}


def test_files_without_rows_are_removed_when_the_client_leaves(services, principal, body):
    before = files(services)
    outcomes = services.bulk.upload(principal, body, BulkOptions("arrow"))
    assert next(outcomes) == []
    stored = next(outcomes)
    outcomes.close()
    assert {one.status for one in stored} == {"created"}
    assert len(files(services) - before) == PORTION


def test_files_without_rows_are_removed_when_the_catalogue_fails(services, principal, body, monkeypatch):
    before = files(services)
    outcomes = services.bulk.upload(principal, body, BulkOptions("arrow"))
    stored = [next(outcomes), next(outcomes)]

    def refused(*_, **__):
        raise UnavailableError("The database is away.")

    monkeypatch.setattr(services.catalogue, "transaction", refused)
    failed = next(outcomes)
    assert {type(one.error) for one in failed} == {UnavailableError}
    with pytest.raises(UnavailableError):
        next(outcomes)
    assert len(files(services) - before) == len(stored[1]) == PORTION
