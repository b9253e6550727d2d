"""The ownership of a store: no archive sweeps the blobs of another."""

import contextlib
import dataclasses

import pytest
from obstore.store import MemoryStore

from photseries.errors import StartError
from photseries.server.archive import Upkeep
from photseries.server.archive.store_ownership import OWNER_KEY, claim_store
from photseries.server.principal import EVERYONE
from photseries.server.services import open_services
from photseries.server.storage import LocalStore, open_store
from photseries.server.storage.objects import ObjectStore
from tests.server.archive.test_order import body

URL = "s3://bucket/place"


@contextlib.contextmanager
def another_archive(services):
    """While this lasts the database is that of an archive which was made a day earlier."""
    for days in ("- interval '1 day'", "+ interval '1 day'"):
        with services.catalogue.transaction() as connection:
            connection.exec_driver_sql(f"UPDATE groups SET created_at = created_at {days} WHERE name = '{EVERYONE}'")
        if days.startswith("-"):
            yield


@pytest.fixture
def store():
    return ObjectStore(MemoryStore())


def test_the_key_of_the_owner_is_that_of_stores_that_exist():
    """A store whose owner stands under another key would count as unclaimed, and a sweep would remove the entry."""
    assert OWNER_KEY == "photseries.archive"


def test_empty_store_is_marked_and_recognised(services, store):
    claim_store(store, URL, services.catalogue)
    assert [blob.key for blob in store.scan()] == [OWNER_KEY]
    claim_store(store, URL, services.catalogue)


def test_the_store_of_another_archive_is_refused(services, store):
    with another_archive(services):
        claim_store(store, URL, services.catalogue)
    before = store.read(OWNER_KEY)
    with pytest.raises(StartError, match="s3://bucket/place belongs to another archive"):
        claim_store(store, URL, services.catalogue)
    assert store.read(OWNER_KEY) == before


def test_store_with_foreign_files_is_refused(services, store):
    store.create("holiday/beach.jpeg", b"a photograph")
    with pytest.raises(StartError, match=r"not empty, and 'holiday/beach.jpeg' does not belong"):
        claim_store(store, URL, services.catalogue)
    assert [blob.key for blob in store.scan()] == ["holiday/beach.jpeg"]


def test_store_with_files_of_the_archive_is_accepted(services, store, principal):
    services.archive.create(principal, body())
    for blob in services.store.scan():
        store.create(blob.key, services.store.read(blob.key))
    store.create("left/over.h5", b"of a writer that was killed")
    claim_store(store, URL, services.catalogue)
    assert store.read(OWNER_KEY)


def test_the_mark_is_not_swept(services, store):
    claim_store(store, URL, services.catalogue)
    config = dataclasses.replace(services.config.store, grace=0.0, write_deadline=1e-9, timeout=1e-9)
    database = dataclasses.replace(services.config.database, statement_timeout=1e-9)
    upkeep = Upkeep(services.catalogue, store, dataclasses.replace(services.config, store=config, database=database))
    store.create("an/orphan.h5", b"blob")
    while not upkeep.sweep().removed:
        pass
    assert [blob.key for blob in store.scan()] == [OWNER_KEY]


def test_configured_store_is_used(services, tmp_path):
    url = f"file://{tmp_path}/elsewhere"
    config = dataclasses.replace(services.config, store=dataclasses.replace(services.config.store, url=url))
    with open_services(config) as moved:
        moved.sandbox.start()
        moved.archive.create(moved.accounts.authenticate(services.token_file.read_text().strip()), body())
        assert list(moved.upkeep.verify()) == []
    assert isinstance(moved.store, LocalStore)
    assert len(list(open_store(url, config.store).scan())) == 2, "the file and the mark"
    assert list(services.store.scan()) == []
