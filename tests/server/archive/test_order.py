"""The order of blob and row: after any failure every row has its blob, and no blob is left that may be removed."""

import contextlib
import dataclasses
import os
import time
from concurrent.futures import ThreadPoolExecutor

import orjson
import psycopg2
import pytest

from photseries.errors import (
    ConflictError,
    DamagedError,
    DuplicateError,
    ForbiddenError,
    NotFoundError,
    OutcomeUnknownError,
    UnavailableError,
)
from photseries.server.archive import Archive, Upkeep
from photseries.server.archive.upkeep import SWEEP
from photseries.server.catalogue import blobs
from photseries.server.catalogue import series as statements
from photseries.server.catalogue.engine import Catalogue
from photseries.server.principal import Principal
from photseries.server.settings import DatabaseSettings, StoreSettings, load
from tests.support import columns, release_lock


def body(**more):
    fields = {
        "obj_id": "star", "instrument_id": 7, "series_name": "order", "series_obj_id": "1", "ra": 1.0, "dec": 2.0,
        "exp_time": 3.0, "filter": "ztfg", "data": columns(),
    }  # fmt: skip
    return {**fields, **more}


def stored(services):
    root = services.config.directory / "store"
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("[!.]*") if path.is_file())


def rows(services):
    with services.catalogue.engine.connect() as connection:
        return [blob.filename for blob in blobs.blobs(connection)]


def check_invariant(services):
    """Every row has its blob, and no blob is there without one."""
    assert list(services.upkeep.verify()) == []
    assert stored(services) == sorted(rows(services))


class LostCommit:
    """COMMIT is sent and the connection breaks: before the server has done it, or after, before its answer."""

    def __init__(self, url, *, committed):
        self.url = url.replace("+psycopg2", "")
        self.committed = committed

    def __call__(self, connection):
        if self.committed:
            connection.commit()
            raise psycopg2.OperationalError("server closed the connection unexpectedly")
        with contextlib.closing(psycopg2.connect(self.url)) as other, other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 10000)", (connection.get_backend_pid(),))
        connection.commit()


@pytest.mark.parametrize("committed", [False, True])
def test_a_commit_of_unknown_outcome_removes_nothing(archive_url, services, principal, monkeypatch, committed):
    with monkeypatch.context() as patched:
        commit = LostCommit(archive_url, committed=committed)
        patched.setattr(services.catalogue.engine.dialect, "do_commit", commit)
        with pytest.raises(OutcomeUnknownError) as caught:
            services.archive.create(principal, body())
    assert caught.value.status == 503
    assert len(stored(services)) == 1, "nobody knows yet whether a row names it"
    assert len(rows(services)) == committed
    assert list(services.upkeep.verify()) == []
    # The client repeats its request: the series exists, or is stored now.
    if committed:
        with pytest.raises(DuplicateError):
            services.archive.create(principal, body())
    else:
        services.archive.create(principal, body())
    assert len(rows(services)) == 1


@pytest.mark.parametrize("fails", ["create", "references"])
def test_certain_failure_removes_the_blob(services, principal, monkeypatch, fails):
    def broken(*_, **__):
        raise UnavailableError("away")

    module = (
        "photseries.server.catalogue.series.create"
        if fails == "create"
        else "photseries.server.archive.archive.look_up_references"
    )
    with monkeypatch.context() as patched:
        patched.setattr(module, broken)
        with pytest.raises(UnavailableError, match="away"):
            services.archive.create(principal, body())
    assert stored(services) == rows(services) == []


def test_a_sweep_knows_the_sizes_of_unlinked_files(services, principal, monkeypatch):
    """The store of a large archive answers a question in milliseconds: none is asked for each file."""
    made = services.archive.create(principal, body()).id
    services.archive.delete(principal, made)
    (name,) = stored(services)
    size = (services.config.directory / "store" / name).stat().st_size
    with services.catalogue.transaction() as connection:
        blobs.purge(connection, made)
    monkeypatch.setattr(services.store, "size", None)
    swept = services.upkeep.sweep()
    assert (swept.removed, swept.size) == (1, size)
    assert stored(services) == []


def test_a_backup_waits_for_a_sweep(archive_url):
    """It waits for longer than a statement may take or wait for a lock."""
    timeout = 0.4
    catalogue = Catalogue(archive_url, DatabaseSettings(statement_timeout=timeout))

    def back_up():
        with catalogue.held(blobs.REMOVAL):
            return time.monotonic()

    with ThreadPoolExecutor() as threads:
        with catalogue.task_lock(blobs.REMOVAL, shared=True):
            backup = threads.submit(back_up)
            time.sleep(2 * timeout)
            swept = time.monotonic()
        assert backup.result() > swept
    catalogue.close()


def test_peer_5_a_failing_clean_up_does_not_hide_the_cause(services, principal, monkeypatch):
    services.archive.create(principal, body())

    def broken(_):
        raise UnavailableError("the store is away")

    with monkeypatch.context() as patched:
        patched.setattr(services.store, "delete", broken)
        with pytest.raises(DuplicateError):
            services.archive.create(principal, body())
    assert len(stored(services)) == 2, "the sweep will remove it"
    assert list(services.upkeep.verify()) == []


def test_a_write_that_is_too_slow_gives_up(archive_url, services, principal, monkeypatch):
    config = load(None, {}, {"database.url": archive_url, "data.directory": str(services.config.directory),
                             "store.write_deadline": 0.05})  # fmt: skip
    archive = Archive(services.catalogue, services.store, services.sandbox, config)
    create = statements.create

    def slow(*arguments):
        time.sleep(0.1)
        return create(*arguments)

    monkeypatch.setattr(statements, "create", slow)
    with pytest.raises(UnavailableError, match="too long"):
        archive.create(principal, body())
    assert stored(services) == rows(services) == []


def test_unavailable_store_changes_nothing(services, principal, monkeypatch):
    created = services.archive.create(principal, body())

    def away(*_):
        raise UnavailableError("The store is full.")

    with monkeypatch.context() as patched:
        patched.setattr(services.store, "create", away)
        with pytest.raises(UnavailableError):
            services.archive.create(principal, body(channel="b"))
        with pytest.raises(UnavailableError):
            services.archive.update(principal, created.id, {"channel": "b"})
    assert services.reader.get(principal, created.id).fields["channel"] is None
    check_invariant(services)


def test_update_and_delete_leave_the_old_blob_to_the_sweep(services, principal):
    series = services.archive.create(principal, body()).id
    services.archive.update(principal, series, {"channel": "b"})
    assert len(stored(services)) == 2
    assert services.upkeep.sweep().removed == 0, "the grace has just begun"
    services.archive.delete(principal, series)
    assert len(stored(services)) == 2
    assert services.upkeep.sweep().removed == 0
    with services.catalogue.transaction() as connection:
        connection.exec_driver_sql("UPDATE unlinked_blobs SET unlinked_at = unlinked_at - interval '25 hours'")
    assert services.upkeep.sweep().removed == 2
    assert stored(services) == []
    with services.catalogue.transaction() as connection:
        assert connection.scalars(blobs.due(StoreSettings(grace=0))).all() == []


def test_a_blob_that_was_just_unlinked_is_kept_however_old_it_is(services, principal):
    series = services.archive.create(principal, body()).id
    (filename,) = stored(services)
    os.utime(services.config.directory / "store" / filename, (0, 0))
    services.archive.delete(principal, series)
    assert services.upkeep.sweep().removed == 0
    assert stored(services) == [filename]


def unlink_earlier(services, seconds):
    """Move the time at which files were unlinked into the past."""
    with services.catalogue.transaction() as connection:
        interval = f"unlinked_at - interval '{seconds} seconds'"
        connection.exec_driver_sql(f"UPDATE unlinked_blobs SET unlinked_at = {interval}")


@pytest.mark.parametrize("by_the_sweep", [False, True], ids=["by the next change", "by the sweep"])
def test_a_series_keeps_its_first_and_its_latest_revisions(archive_url, services, principal, by_the_sweep):
    config = load(None, {}, {"database.url": archive_url, "data.directory": str(services.config.directory),
                             "store.revisions": 3})  # fmt: skip
    archive = Archive(services.catalogue, services.store, services.sandbox, config)
    series, other = archive.create(principal, body()).id, archive.create(principal, body(channel="other")).id
    archive.update(principal, other, {"origin": "once"})
    names = []

    def change(label):
        names.append(services.reader.get(principal, series).fields["filename"])
        archive.update(principal, series, {"origin": label})

    for number in range(7):
        change(f"revision {number + 2}")
    assert len(stored(services)) == 7 + 1 + 2, "no surplus file is older than the write deadline"
    unlink_earlier(services, config.store.write_deadline + 1)
    if by_the_sweep:
        assert Upkeep(services.catalogue, services.store, config).sweep().removed == 4
    change("revision 9")
    kept = {names[0], *names[6:]}
    current = {services.reader.get(principal, number).fields["filename"] for number in (series, other)}
    assert set(names) & set(stored(services)) == kept
    assert current <= set(stored(services))
    assert len(stored(services)) == len(kept) + 3
    assert services.reader.revision(principal, series, 1).fields
    assert services.reader.revision(principal, series, 7).fields
    for lost in (2, 6):
        with pytest.raises(NotFoundError, match="no longer kept"):
            services.reader.revision(principal, series, lost)
    assert [event["revision"] for event in services.reader.history(principal, series)] == list(range(1, 10))
    assert list(services.upkeep.verify()) == []


def test_the_sweep_removes_old_orphans_only(services, principal):
    series = services.archive.create(principal, body()).id
    for key in ("young.h5", "folder/old.h5"):
        services.store.create(key, b"nobody names me")
    root = services.config.directory / "store"
    os.utime(root / "folder/old.h5", (0, 0))
    os.utime(root / services.reader.get(principal, series).fields["filename"], (0, 0))
    swept = services.upkeep.sweep()
    assert (swept.seen, swept.removed, swept.size) == (3, 1, len(b"nobody names me"))
    assert "young.h5" in stored(services)
    assert not (root / "folder").exists()
    assert list(services.upkeep.verify()) == []


@pytest.mark.parametrize(("place", "wait"), [(None, 9200), ("other", 10_100)])
@pytest.mark.parametrize("grace", [0, 40_000])
def test_the_sweep_waits_for_writers_that_may_still_commit(archive_url, services, tmp_path, place, wait, grace):
    """Twice the write deadline and the statement timeout, and the timeout of a store elsewhere [s]."""
    limits = {"store.write_deadline": 4000, "database.statement_timeout": 600, "store.timeout": 900}
    url = place and f"file://{tmp_path / place}"
    config = load(None, {}, {"database.url": archive_url, "store.url": url, "store.grace": grace, **limits})
    ages = {f"{age}.h5": age for age in (0, wait - 300, wait + 300, 39_700, 40_300)}
    now = time.time()
    for name, age in ages.items():
        services.store.create(name, b"no row names me yet")
        os.utime(services.config.directory / "store" / name, (now - age, now - age))
    Upkeep(services.catalogue, services.store, config).sweep()
    assert stored(services) == sorted(name for name, age in ages.items() if age < (grace or wait))


def test_one_process_sweeps_at_a_time(services):
    with services.catalogue.task_lock(7_302_002) as won:
        assert won
        assert services.upkeep.sweep() is None
    assert services.upkeep.sweep() is not None


@pytest.mark.parametrize("lock", [SWEEP, blobs.REMOVAL])
def test_a_sweep_ends_when_the_database_releases_its_lock(services, lock, monkeypatch):
    """After a restart of the database another process may sweep, and a backup may begin."""
    services.store.create("folder/old.h5", b"nobody names me")
    os.utime(services.config.directory / "store/folder/old.h5", (0, 0))
    scan = services.store.scan

    def scan_late():
        release_lock(services, lock)
        return scan()

    monkeypatch.setattr(services.store, "scan", scan_late)
    with pytest.raises(UnavailableError):
        services.upkeep.sweep()
    assert "folder/old.h5" in stored(services)
    monkeypatch.undo()
    assert services.upkeep.sweep().removed == 1


def test_without_grace_bytes_go_with_the_commit(archive_url, services, principal):
    config = load(None, {}, {"database.url": archive_url, "data.directory": str(services.config.directory),
                             "store.grace": 0.0})  # fmt: skip
    archive = Archive(services.catalogue, services.store, services.sandbox, config)
    series = archive.create(principal, body()).id
    archive.update(principal, series, {"channel": "b"})
    check_invariant(services)
    archive.delete(principal, series)
    assert stored(services) == []
    services.store.create("in-flight.h5", b"its row may be on its way")
    assert Upkeep(services.catalogue, services.store, config).sweep().removed == 0


def test_a_reader_that_loses_the_race_with_an_update_reads_again(archive_url, services, principal, monkeypatch):
    config = load(None, {}, {"database.url": archive_url, "data.directory": str(services.config.directory),
                             "store.grace": 0.0})  # fmt: skip
    archive = Archive(services.catalogue, services.store, services.sandbox, config)
    series = archive.create(principal, body()).id
    read = services.store.read
    updated = []

    def late(key):
        if not updated:
            updated.append(key)
            archive.update(principal, series, {"data": columns(seed=1)})
        return read(key)

    monkeypatch.setattr(services.store, "read", late)
    found, document = services.reader.document(principal, services.reader.get(principal, series), "json")
    got = orjson.loads(b"".join(document.pieces()))["data"]
    assert found.revision == 2
    assert got == columns(seed=1)


def test_verify_finds_every_kind_of_damage(services, principal):
    ids = [services.archive.create(principal, body(channel=str(number))).id for number in range(4)]
    root = services.config.directory / "store"
    paths = [root / services.reader.get(principal, series).fields["filename"] for series in ids]
    paths[1].unlink()
    paths[2].write_bytes(paths[2].read_bytes()[:-1])
    content = bytearray(paths[3].read_bytes())
    content[1000] ^= 1
    paths[3].write_bytes(content)
    seen = []
    damaged = {damage.series_id: damage.problem for damage in services.upkeep.verify(3, lambda: seen.append(1))}
    assert len(seen) == 4
    assert list(services.upkeep.verify()) == list(services.upkeep.verify(2))
    first = next(services.upkeep.verify(advance=lambda: seen.append(2)))
    assert (first.series_id, seen.count(2)) == (ids[1], 2), "it comes before the others are read"
    assert list(damaged) == ids[1:]
    assert "missing" in damaged[ids[1]]
    assert "bytes" in damaged[ids[2]]
    assert "MD5" in damaged[ids[3]]
    for series in ids[1:]:
        with pytest.raises(DamagedError):
            services.reader.document(principal, services.reader.get(principal, series), "json")
        assert services.reader.get(principal, series).fields["id"] == series


def test_verify_looks_again_at_a_series_that_changes_under_it(services, principal, monkeypatch):
    ids = [services.archive.create(principal, body(channel=str(number))).id for number in range(2)]
    read, root = services.store.read, services.config.directory / "store"

    def late(key):
        monkeypatch.setattr(services.store, "read", read)
        services.archive.update(principal, ids[0], {"data": columns(seed=1)})
        services.archive.delete(principal, ids[1])
        (root / key).unlink()
        return read(key)

    monkeypatch.setattr(services.store, "read", late)
    assert list(services.upkeep.verify()) == []


def test_a_damaged_series_is_mended_by_new_data(services, principal):
    series = services.archive.create(principal, body()).id
    (services.config.directory / "store" / services.reader.get(principal, series).fields["filename"]).unlink()
    with pytest.raises(DamagedError):
        services.archive.update(principal, series, {"channel": "b"})
    services.archive.update(principal, series, {"data": columns()})
    check_invariant_after_sweep = list(services.upkeep.verify())
    assert check_invariant_after_sweep == []


def test_constantly_outpaced_change_gives_up(services, principal, monkeypatch):
    series = services.archive.create(principal, body()).id
    monkeypatch.setattr(statements, "change", lambda *_: False)
    for change in ({"channel": "b"}, {"group_ids": "all"}):
        with pytest.raises(ConflictError, match="keep changing"):
            services.archive.update(principal, series, change)
    assert len(stored(services)) == 1


def test_unauthorised_changes_are_refused(services, principal):
    series = services.archive.create(principal, body(group_ids="all")).id
    reader = dataclasses.replace(principal, permissions=frozenset())
    stranger = Principal(10**6, "stranger", 10**6, frozenset({"Upload data", "Manage photometry"}))
    for use in (services.archive.delete, lambda who, number: services.archive.update(who, number, {})):
        with pytest.raises(ForbiddenError):
            use(reader, series)
        with pytest.raises(NotFoundError):
            use(stranger, series)


def test_a_purge_of_a_series_that_is_restored_meanwhile(services, principal, monkeypatch):
    """It purges the earlier revisions, and not the values and the file of the current one."""
    number = services.archive.create(principal, body()).id
    services.archive.update(principal, number, {"channel": "b"})
    services.archive.delete(principal, number)
    purge, restored = blobs.purge, []

    def late(connection, series_id):
        if not restored:
            restored.append(services.restorer.restore(principal, series_id))
        purge(connection, series_id)

    monkeypatch.setattr(blobs, "purge", late)
    services.archive.purge(principal, number)
    events = services.reader.history(principal, number)
    assert [event["action"] for event in events] == ["create", "update", "delete", "restore", "purge"]
    current = services.reader.get(principal, number).fields
    assert (current["channel"], current["revision"]) == ("b", 5)
    assert orjson.loads(services.reader.revision(principal, number, 5).fields)["channel"] == "b"
    check_invariant(services)
