"""Repeated exports: only changes are written, regardless of the previous outcome."""

import hashlib
import os
import signal
import subprocess
import sys

import lsdb
import orjson
import pytest

from photseries.errors import DamagedError, NotAdoptedError, StartError, UnavailableError
from photseries.server.accounts import OPERATOR
from photseries.server.catalogue import exporting as member_rows
from photseries.server.hats import Layout, Target, exporting
from tests.server.hats.conftest import ROWS, STARS, star
from tests.support import PATIENCE, release_lock


def contents(folder):
    files = (path for path in folder.rglob("Npix=*.parquet"))
    return {path.relative_to(folder): hashlib.md5(path.read_bytes()).hexdigest() for path in files}


def written(folder):
    return {path: path.stat().st_ino for path in folder.glob("dataset/**/Npix=*.parquet")}


def test_unchanged_partitions_are_not_written(ids, exported, folder):
    exported(max_weight=ROWS)
    before = written(folder)
    again = exported(max_weight=ROWS)
    assert (again.written, again.series, again.removed, again.rows) == (0, 0, 0, 8)
    assert written(folder) == before


@pytest.mark.parametrize("by_source", [False, True])
def test_export_follows_changes_and_deletions(services, principal, ids, exported, folder, by_source):
    exported(max_weight=ROWS, by_source=by_source)
    before = written(folder)
    services.archive.update(principal, ids["south", "ztfg"], {"altdata": {"note": "changed"}})
    for band in ("ztfg", "ztfr"):
        services.archive.delete(principal, ids["pole", band])
    services.archive.delete(principal, ids["north", "ztfr"])
    done = exported(max_weight=ROWS, by_source=by_source)
    assert (done.written, done.removed, done.partitions) == (2, 1, 3)
    after = written(folder)
    assert sum(after.get(path) == number for path, number in before.items()) == 1
    rows = lsdb.open_catalog(folder).compute()
    assert sorted(rows["obj_id"]) == sorted(["near north", "north", "south"] if by_source else
                                            ["near north", "near north", "north", "south", "south"])  # fmt: skip
    if not by_source:
        assert '{"note":"changed"}' in set(rows["altdata"])
    services.archive.create(principal, {**star("pole", "ztfg"), "filter": "ztfi"})
    assert exported(max_weight=ROWS, by_source=by_source).written == 1


def test_a_series_that_moves_leaves_its_pixel(services, principal, ids, exported, folder):
    exported(max_weight=ROWS)
    services.archive.update(principal, ids["pole", "ztfg"], {"ra": 200.0, "dec": -60.0})
    exported(max_weight=ROWS)
    rows = lsdb.open_catalog(folder).compute()
    assert len(rows) == 8
    assert len(lsdb.open_catalog(folder).cone_search(200.0, -60.0, 5).compute()) == 3


_KILLED = """
import os, signal
from photseries.server.hats import partition
whole, tables = partition.Layout.table, []
def table(self, rows, schema):
    tables.append(rows)
    if len(tables) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(self, rows, schema)
partition.Layout.table = table
from photseries.cli import main
main()
"""


def test_killed_export_is_completed(ids, exported, folder, environment, tmp_path):
    words = ["export", "hats", str(folder), "--most", str(ROWS)]
    command = [sys.executable, "-c", _KILLED, *words]
    outcome = subprocess.run(command, env={**os.environ, **environment}, cwd=tmp_path, timeout=PATIENCE)
    assert outcome.returncode == -signal.SIGKILL
    survived = written(folder)
    assert len(survived) == 2
    assert list(folder.glob(".photseries-*"))
    done = exported(max_weight=ROWS)
    assert done.written == len(STARS) - 2
    assert survived.items() <= written(folder).items()
    assert not list(folder.glob(".*"))
    resumed = contents(folder)
    for path in resumed:
        (folder / path).unlink()
    assert exported(max_weight=ROWS).written == len(STARS)
    assert contents(folder) == resumed


def test_a_damaged_partition_is_written_again(ids, exported, folder):
    exported(max_weight=ROWS)
    path = next(folder.rglob("Npix=*.parquet"))
    content = path.read_bytes()
    footer = int.from_bytes(content[-8:-4], "little")
    for damaged in (content[:1000], content[: -8 - footer] + b"\xff" * footer + content[-8:]):
        path.write_bytes(damaged)
        assert exported(max_weight=ROWS).written == 1
        assert path.read_bytes() == content


def test_a_file_that_is_missing_is_named_and_what_was_written_stays(services, principal, ids, exported, folder):
    fields = services.reader.get(principal, ids["south", "ztfr"]).fields
    blob = services.config.directory / "store" / fields["filename"]
    content = blob.read_bytes()
    blob.unlink()
    with pytest.raises(DamagedError, match=f"of series {ids['south', 'ztfr']} is missing"):
        exported(max_weight=ROWS)
    assert not (folder / "partition_info.csv").exists()
    blob.write_bytes(content)
    exported(max_weight=ROWS)
    assert len(lsdb.open_catalog(folder).compute()) == 8


def test_a_series_that_changes_meanwhile_is_read_again(services, principal, ids, exported, folder, monkeypatch):
    """Its row was read, then it was changed and its old file removed, as without grace."""
    read, changed = member_rows.members, []

    def members(*args, **options):
        found = read(*args, **options)
        if not changed:
            one = found[0].blob
            services.archive.update(principal, one.series_id, {"altdata": {"note": "meanwhile"}})
            services.store.delete(one.filename)
            changed.append(one.series_id)
        return found

    monkeypatch.setattr(member_rows, "members", members)
    exported(max_weight=ROWS)
    rows = lsdb.open_catalog(folder).compute().set_index("id")
    assert rows.loc[changed[0]]["altdata"] == '{"note":"meanwhile"}'
    assert exported(max_weight=ROWS).written == 0


def test_concurrent_export_is_refused(services, ids, exported):
    with services.catalogue.task_lock(exporting.EXPORT) as won:
        assert won
        with pytest.raises(StartError, match="Another export"):
            exported()


def test_an_export_ends_when_the_database_releases_its_lock(services, ids, exported, folder, monkeypatch):
    """After a restart of the database another export may begin."""
    read, calls = member_rows.members, []

    def members(*args, **options):
        if not calls:
            release_lock(services, exporting.EXPORT)
        calls.append(1)
        return read(*args, **options)

    monkeypatch.setattr(member_rows, "members", members)
    with pytest.raises(UnavailableError):
        exported()
    assert not (folder / "partition_info.csv").exists()
    exported()
    assert len(lsdb.open_catalog(folder).compute()) == 8


def test_the_export_of_another_copy_of_the_database_is_left_alone(services, ids, exported, folder):
    """A snapshot of the database has the turn from before the latest export."""
    exported(max_weight=ROWS)
    before, mark = contents(folder), (folder / "photseries.mark").read_bytes()
    (folder / "photseries.mark").write_bytes(mark.replace(orjson.loads(mark)["turn"].encode(), b"0" * 32))
    with pytest.raises(NotAdoptedError, match="--adopt"):
        exported(max_weight=ROWS * 100)
    assert contents(folder) == before
    target = Target(str(folder), adopted=True)
    assert exporting.export(services, OPERATOR, target, Layout(), max_weight=ROWS).written == 0
    assert orjson.loads((folder / "photseries.mark").read_bytes())["epoch"] == 2
    exported(max_weight=ROWS)
