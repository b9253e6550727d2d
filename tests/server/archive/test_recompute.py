"""`photseries recompute`: rows of an earlier version get today's statistics, files and revisions stay."""

import dataclasses
import functools
import json
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import orjson
import pyarrow as pa
import pytest
from sqlalchemy import select, update

from photseries.errors import NotFoundError
from photseries.fields import STATISTICS
from photseries.server.accounts import OPERATOR
from photseries.server.archive import Archive, bulk_writer
from photseries.server.archive.blobs import read_table
from photseries.server.archive.bulk import BulkOptions
from photseries.server.archive.recompute import ChangeTally, Recomputer
from photseries.server.catalogue import recomputing, registries, restoring, series
from photseries.server.catalogue.models import SERIES, Series
from photseries.server.settings import QuotaSettings
from tests.server.archive.test_order import body, check_invariant
from tests.server.http.test_bulk import arrow
from tests.support import PATIENCE, columns, command, wait_for_locks

TABLE = columns(20)


def services_recomputer(services):
    return Recomputer(services.catalogue, services.store, services.archive, OPERATOR, 3.0)


@pytest.fixture
def recomputer(services):
    return services_recomputer(services)


def row(services, series_id):
    with services.catalogue.engine.connect() as connection:
        return dict(connection.execute(select(Series.__table__).where(SERIES.id == series_id)).mappings().one())


def age(services, series_id, **values):
    """Make a row as an earlier version has left it."""
    with services.catalogue.engine.begin() as connection:
        connection.execute(update(Series).where(SERIES.id == series_id).values(statistics_version=1, **values))


def tallied(recomputer, **options):
    tally = ChangeTally()
    for one in recomputer.run(**options):
        tally.add(one)
    return {row["statistic"]: row for row in tally.rows()}


@pytest.fixture
def aged(services, principal):
    """Three series, two of which have statistics of an earlier version."""
    numbers = [services.archive.create(principal, body(series_obj_id=star, data=TABLE)).id for star in "123"]
    now = {number: row(services, number) for number in numbers}
    stds = {**now[1]["stds"], "flux": now[1]["stds"]["flux"] + 2.0}
    age(services, 1, num_detected=0, is_detected=False, mag_last_detected=None, best_snr=2.5, stds=stds)
    age(services, 2, best_snr=now[2]["best_snr"] + 1.0)
    return now


def test_new_rows_have_the_present_version(services, principal):
    services.archive.create(principal, body())
    assert row(services, 1)["statistics_version"] == 3
    assert services.upkeep.number_behind() == 0


def test_rows_get_the_present_statistics_and_nothing_else_changes(services, aged, recomputer):
    assert services.upkeep.number_behind() == 2
    changes = tallied(recomputer)
    assert services.upkeep.number_behind() == 0
    for number, before in aged.items():
        assert row(services, number) == before  # also revision, modified, filename and hash
    best = float(np.max(np.array(TABLE["flux"]) / np.array(TABLE["fluxerr"])))
    assert changes["best_snr"]["series"] == 2
    assert changes["best_snr"]["id"] == 1
    assert changes["best_snr"]["before"] == 2.5
    assert changes["best_snr"]["after"] == pytest.approx(best, rel=1e-12)
    assert changes["best_snr"]["largest_change"] == pytest.approx(best - 2.5, rel=1e-12)
    assert changes["stds"]["largest_change"] == pytest.approx(2.0, rel=1e-9)
    assert changes["num_detected"]["largest_change"] == 20
    assert changes["mag_last_detected"]["largest_change"] is None
    assert set(changes) == {"best_snr", "stds", "num_detected", "is_detected", "mag_last_detected"}
    assert list(recomputer.run()) == []
    check_invariant(services)


def test_dry_run_reports_the_same_and_writes_nothing(services, aged, recomputer):
    before = [row(services, number) for number in aged]
    changes = tallied(recomputer, dry_run=True)
    assert [row(services, number) for number in aged] == before
    assert services.upkeep.number_behind() == 2
    assert changes == tallied(recomputer)


def test_interrupted_run_continues(services, aged, recomputer):
    run = recomputer.run()
    assert next(run).series_id == 1
    run.close()
    assert services.upkeep.number_behind() == 1
    assert [one.series_id for one in recomputer.run()] == [2]


def test_concurrent_change_survives(services, principal, aged, recomputer, monkeypatch):
    def read_and_change(store, blob):
        table = read_table(store, blob)
        if blob.filename == aged[2]["filename"]:
            services.archive.update(principal, 2, {"channel": "b"})
        return table

    monkeypatch.setattr("photseries.server.archive.recompute.read_table", read_and_change)
    assert [one.series_id for one in recomputer.run()] == [1, 2]
    now = row(services, 2)
    assert (now["channel"], now["revision"], now["statistics_version"]) == ("b", 2, 3)
    assert now["best_snr"] == aged[2]["best_snr"]


def test_a_concurrent_change_before_a_revision_survives(services, principal, aged, recomputer, monkeypatch):
    """The series moves on while its calibration is moved out of altdata: it is read again."""
    age(services, 1, altdata={"flux_calibrated": False, "flux_unit": "electron/s"})
    numbers = iter("ab")

    def read_and_change(store, blob):
        table = read_table(store, blob)
        if blob.series_id == 1 and (name := next(numbers, None)):
            services.archive.update(principal, 1, {"channel": name})
            age(services, 1)
        return table

    monkeypatch.setattr("photseries.server.archive.recompute.read_table", read_and_change)
    outcomes = list(recomputer.run())
    assert [(one.series_id, one.problem) for one in outcomes] == [(1, None), (2, None)]
    now = row(services, 1)
    assert (now["channel"], now["flux_unit"], now["statistics_version"]) == ("b", "electron/s", 3)
    assert list(services.upkeep.verify()) == []


def test_a_full_quota_is_reported_and_the_others_are_done(services, principal, aged):
    """A calibration in altdata needs a new file, for which the owner has no room."""
    age(services, 1, altdata={"flux_calibrated": False, "flux_unit": "electron/s"})
    config = dataclasses.replace(services.config, quotas=QuotaSettings(bytes=1))
    archive = Archive(services.catalogue, services.store, services.sandbox, config)
    recomputer = Recomputer(services.catalogue, services.store, archive, OPERATOR, 3.0)
    first, second = recomputer.run()
    assert (first.series_id, first.is_revised, first.changes) == (1, False, {})
    assert first.problem.startswith("The quota of admin is 1 bytes")
    assert (second.series_id, second.problem) == (2, None)
    assert services.upkeep.number_behind() == 1
    check_invariant(services)


def test_a_damaged_file_is_reported_and_the_others_are_done(services, aged, recomputer):
    services.store.delete(aged[1]["filename"])
    first, second = recomputer.run()
    assert (first.series_id, first.changes) == (1, {})
    assert "missing" in first.problem
    assert (second.series_id, second.problem) == (2, None)
    assert services.upkeep.number_behind() == 1


@pytest.mark.parametrize("old", ["electron/s", None, "uJy"])
def test_calibration_in_altdata_becomes_a_revision(services, principal, recomputer, old):
    services.archive.create(principal, body(data=TABLE))
    before = row(services, 1)
    altdata = {"flux_calibrated": False, **({} if old is None else {"flux_unit": old}), "camera": 2}
    age(services, 1, altdata=altdata)
    (dry,) = recomputer.run(dry_run=True)
    assert dry.is_revised
    assert row(services, 1)["revision"] == 1
    (one,) = recomputer.run()
    assert (one.is_revised, one.problem) == (True, None)
    assert one.changes == dry.changes
    now = row(services, 1)
    unit = old or "relative"
    assert (now["flux_unit"], now["altdata"], now["revision"]) == (unit, {"camera": 2}, 2)
    assert now["filename"] != before["filename"]
    assert now["statistics_version"] == 3
    assert (now["mean_mag"] is None) == (unit != "uJy")
    assert now["mean_flux"] == pytest.approx(np.mean(TABLE["flux"]), rel=1e-12)
    said = services.reader.revision(principal, 1, 2).fields
    assert orjson.loads(said)["flux_unit"] == unit
    event = services.reader.history(principal, 1)[-1]
    assert event["user_id"] == before["owner_id"]
    assert event["changed"]["altdata"] == {"from": altdata, "to": {"camera": 2}}
    check = services.upkeep.verify()
    assert list(check) == []


def test_a_table_with_both_brightnesses_keeps_its_fluxes(services, principal, recomputer):
    table = {**TABLE, "mag": [20.0] * 20}
    services.archive.create(principal, body(data=table))
    age(services, 1, altdata={"flux_calibrated": False, "flux_unit": "adu/s"})
    (one,) = recomputer.run()
    assert one.problem is None
    now = row(services, 1)
    assert (now["flux_unit"], now["brightness"], now["mean_mag"]) == ("adu/s", "flux", None)


def test_recompute_command_updates_statistics(services, aged, archive_url, tmp_path):
    words = ("recompute", "--json", "--data", str(tmp_path / "data"))
    settings = {"PHOTSERIES_DATABASE__URL": archive_url}
    for more, left in ((("--dry-run",), 2), ((), 0)):
        done = command(*words, *more, cwd=tmp_path, **settings)
        assert done.exit_code == 0, done.stderr
        told = json.loads(done.stdout)
        assert (told["series"], told["revised"], told["failed"], told["failures"]) == (2, 0, 0, [])
        assert {change["statistic"] for change in told["changes"]} <= set(STATISTICS)
        assert len(told["changes"]) == 5
        assert services.upkeep.number_behind() == left
    services.store.delete(aged[3]["filename"])
    age(services, 3)
    done = command("recompute", "--data", str(tmp_path / "data"), cwd=tmp_path, **settings)
    assert done.exit_code == 2
    assert "missing" in done.stdout


def test_nights_follow_an_instrument_that_moves(services, principal, recomputer):
    times = [59000.98, 59001.02, 59001.4, 59001.98, 59002.02]
    services.archive.create(principal, body(data={"mjd": times, "flux": [1.0, 2.0, 3.0, 4.0, 5.0]}))
    assert row(services, 1)["points_per_night"] == 2.5
    services.accounts.change(principal, "instrument", "7", {"longitude": 180})
    assert services.upkeep.number_behind() == 1
    (one,) = recomputer.run()
    assert set(one.changes) == {"points_per_night"}
    assert row(services, 1)["points_per_night"] == 5 / 3


def bulk_upload(services, principal):
    table = pa.table({name: [value] for name, value in {**body(), **TABLE}.items() if name != "data"})
    with tempfile.TemporaryFile() as file:
        file.write(arrow(table))
        file.seek(0)
        list(services.bulk.upload(principal, file.fileno(), BulkOptions("arrow")))


#: What computes statistics, and the statement that stores them.
STORING = {
    "create": (series, "create", lambda services, user: services.archive.create(user, body(data=TABLE))),
    "bulk upload": (bulk_writer, "create_many", bulk_upload),
    "update": (series, "change", lambda services, user: services.archive.update(user, 1, {"data": columns(15)})),
    "restore": (restoring, "reinsert", lambda services, user: services.restorer.restore(user, 1)),
    "recompute": (recomputing, "replace_statistics", lambda services, user: list(services_recomputer(services).run())),
}


@pytest.mark.parametrize("storing", STORING)
def test_statistics_of_before_a_move_are_outdated(storing, services, principal, monkeypatch):
    """The instrument moves after the statistics were computed, right before they are stored."""
    module, name, act = STORING[storing]
    if storing not in ("create", "bulk upload"):
        services.archive.create(principal, body(data=TABLE))
    if storing == "restore":
        services.archive.delete(principal, 1)
    if storing == "recompute":
        age(services, 1)
    store, moves = getattr(module, name), [{"longitude": 90}]

    def store_late(*arguments, **options):
        if moves:
            services.accounts.change(principal, "instrument", "7", moves.pop())
        return store(*arguments, **options)

    monkeypatch.setattr(module, name, store_late)
    act(services, principal)
    assert moves == []
    list(services_recomputer(services).run())
    stored = row(services, 1)
    nights = np.floor(np.array(columns(stored["num_exp"])["mjd"]) + 90 / 360 - 0.5)
    assert stored["points_per_night"] == len(nights) / len(set(nights))
    assert services.upkeep.number_behind() == 0


@contextmanager
def upload_under_way(services, principal, monkeypatch, **fields):
    """Hold an upload open between its INSERT and its COMMIT; end it with the block."""
    inserted, may_commit = threading.Event(), threading.Event()
    insert = series.create

    def insert_and_wait(*arguments):
        created = insert(*arguments)
        inserted.set()
        assert may_commit.wait(PATIENCE)
        return created

    with ThreadPoolExecutor(1) as thread, monkeypatch.context() as patch:
        patch.setattr(series, "create", insert_and_wait)
        upload = thread.submit(services.archive.create, principal, body(data=TABLE, **fields))
        try:
            assert inserted.wait(PATIENCE)
            patch.undo()
            yield
        finally:
            may_commit.set()
            upload.result(PATIENCE)


def test_a_move_waits_only_for_the_uploads_of_its_instrument(services, principal, monkeypatch):
    """The upload computed its nights before the move, which cannot see its row before its COMMIT."""
    services.accounts.create(principal, "instrument", {"name": "other", "filters": ["clear"]})
    # Two uploads of one user may wait for each other, because both count what the user has stored.
    user = services.accounts.create(principal, "users", {"username": "other"})
    other = dataclasses.replace(principal, user_id=user["id"], own_group_id=user["single_user_group_id"])
    move = functools.partial(services.accounts.change, principal, "instrument", "7", {"longitude": 90})
    with ThreadPoolExecutor(1) as thread:
        with upload_under_way(services, principal, monkeypatch, series_obj_id="under way"):
            moved = thread.submit(move)
            wait_for_locks(services, 1)
            services.archive.create(other, body(data=TABLE, series_obj_id="other", instrument_id=8))
            assert not moved.done()
        moved.result(PATIENCE)
    assert services.upkeep.number_behind() == 1


def test_an_upload_waits_for_a_move_of_its_instrument(services, principal):
    """It computed its nights before the move, whose new longitude it then sees."""
    with ThreadPoolExecutor(1) as thread:
        with services.catalogue.transaction() as move:
            registries.change(move, "instrument", 7, {"longitude": 90})
            registries.mark_outdated(move, 7)
            upload = thread.submit(services.archive.create, principal, body(data=TABLE))
            wait_for_locks(services, 1)
        upload.result(PATIENCE)
    assert services.upkeep.number_behind() == 1


@pytest.mark.parametrize("place", [{"longitude": 20.5, "latitude": 7}, {"height": 3}, {"name": "new"}])
def test_a_change_that_is_no_move_leaves_the_statistics(place, services, principal):
    services.accounts.change(principal, "instrument", "7", {"longitude": 20.5})
    services.archive.create(principal, body(data=TABLE))
    services.accounts.change(principal, "instrument", "7", place)
    assert services.upkeep.number_behind() == 0


def test_a_move_waits_for_a_locked_series_that_then_changes(services, principal):
    """A change of periods locks the row before it changes it."""
    services.archive.create(principal, body(data=TABLE))
    with services.catalogue.engine.begin() as change, ThreadPoolExecutor(1) as thread:
        change.exec_driver_sql("SELECT FROM photometric_series FOR UPDATE")
        moved = thread.submit(services.accounts.change, principal, "instrument", "7", {"longitude": 90})
        wait_for_locks(services, 1)
        change.execute(update(Series).values(modified=SERIES.modified))
        change.commit()
        moved.result(PATIENCE)
    assert services.upkeep.number_behind() == 1


def test_moving_and_deleting_an_instrument_at_once(services, principal):
    """The first of them wins, and the other finds the result, without a deadlock."""
    accounts = services.accounts
    with services.catalogue.engine.begin() as holder, ThreadPoolExecutor(2) as threads:
        holder.exec_driver_sql("SELECT FROM instruments WHERE id = 7 FOR UPDATE")
        removed = threads.submit(accounts.remove, principal, "instrument", "7")
        wait_for_locks(services, 1)
        moved = threads.submit(accounts.change, principal, "instrument", "7", {"longitude": 90})
        wait_for_locks(services, 2)
        holder.commit()
        removed.result(PATIENCE)
        with pytest.raises(NotFoundError):
            moved.result(PATIENCE)
