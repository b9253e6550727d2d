"""Which archive a store belongs to: nobody sweeps what is another's."""

import contextlib
import dataclasses

import pytest
from obstore.store import MemoryStore

from photseries.errors import StartError
from photseries.server.archive import Upkeep
from photseries.server.archive.belonging import MARK, claim
from photseries.server.principal import EVERYONE
from photseries.server.services import opened
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


def test_an_empty_store_is_marked_and_known_again(services, store):
    claim(store, URL, services.catalogue)
    assert [blob.key for blob in store.scan()] == [MARK]
    claim(store, URL, services.catalogue)


def test_the_store_of_another_archive_is_refused(services, store):
    with another_archive(services):
        claim(store, URL, services.catalogue)
    before = store.read(MARK)
    with pytest.raises(StartError, match="s3://bucket/place belongs to another archive"):
        claim(store, URL, services.catalogue)
    assert store.read(MARK) == before


def test_a_store_with_other_things_is_refused(services, store):
    store.create("holiday/beach.jpeg", b"a photograph")
    with pytest.raises(StartError, match=r"not empty, and 'holiday/beach.jpeg' is none"):
        claim(store, URL, services.catalogue)
    assert [blob.key for blob in store.scan()] == ["holiday/beach.jpeg"]


def test_a_store_that_was_filled_by_other_means_is_taken(services, store, principal):
    services.archive.create(principal, body())
    for blob in services.store.scan():
        store.create(blob.key, services.store.read(blob.key))
    store.create("left/over.h5", b"of a writer that was killed")
    claim(store, URL, services.catalogue)
    assert store.read(MARK)


def test_the_mark_is_not_swept(services, store):
    claim(store, URL, services.catalogue)
    config = dataclasses.replace(services.config.store, grace=0.0, write_deadline=1e-9, timeout=1e-9)
    database = dataclasses.replace(services.config.database, statement_timeout=1e-9)
    upkeep = Upkeep(services.catalogue, store, dataclasses.replace(services.config, store=config, database=database))
    store.create("an/orphan.h5", b"blob")
    while not upkeep.sweep().removed:
        pass
    assert [blob.key for blob in store.scan()] == [MARK]


def test_the_configured_store_is_the_one_that_is_used(services, tmp_path):
    url = f"file://{tmp_path}/elsewhere"
    config = dataclasses.replace(services.config, store=dataclasses.replace(services.config.store, url=url))
    with opened(config) as moved:
        moved.sandbox.start()
        moved.archive.create(moved.accounts.authenticate(services.token_file.read_text().strip()), body())
        assert list(moved.upkeep.verify()) == []
    assert isinstance(moved.store, LocalStore)
    assert len(list(open_store(url, config.store).scan())) == 2, "the file and the mark"
    assert list(services.store.scan()) == []
