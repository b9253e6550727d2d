"""`photseries store copy`: everything arrives, what is not right is named, nothing is replaced."""

import itertools
import json

import pytest

from photseries.errors import UnavailableError
from photseries.server.archive import Upkeep, copy_store
from photseries.server.archive.copy_store import CopyStatus, StoreCopier
from photseries.server.catalogue import blobs
from photseries.server.storage import LocalStore, open_store
from tests.crash.place import Place
from tests.server.archive.test_order import body

pytestmark = pytest.mark.slow

_numbers = itertools.count()


@pytest.fixture
def target(tmp_path):
    return LocalStore(tmp_path / "target")


def moved(services, target, *, trusted=False):
    found = list(StoreCopier(services.catalogue, services.store, target, trusted=trusted).run())
    return {status: sorted(one.blob.filename for one in found if one.status is status) for status in CopyStatus}


@pytest.fixture
def filled(services, principal):
    """The files of three series, of an earlier revision, and of a series that was deleted."""
    for star in "1234":
        services.archive.create(principal, body(series_obj_id=star))
    services.archive.update(principal, 1, {"channel": "b"})
    services.archive.delete(principal, 4)
    services.store.create("an/orphan.h5", b"nobody names me")
    return sorted(blob.key for blob in services.store.scan() if blob.key != "an/orphan.h5")


def test_copy_includes_referenced_and_grace_files(services, filled, target):
    assert moved(services, target)[CopyStatus.COPIED] == filled
    assert sorted(blob.key for blob in target.scan()) == filled
    for key in filled:
        assert target.read(key) == services.store.read(key)
    assert list(Upkeep(services.catalogue, target, services.config).verify()) == []
    assert StoreCopier(services.catalogue, services.store, target, trusted=False).total() == len(filled)


def test_a_file_that_a_restore_names_again_during_the_copy_is_copied(services, principal, target, monkeypatch):
    """A backup has dumped rows that name the files of revision 1."""
    monkeypatch.setattr(copy_store, "BATCH", 1)
    monkeypatch.setattr(blobs, "_BATCH", 1)
    for star in "12":
        services.archive.create(principal, body(series_obj_id=star))
    first = [services.reader.get(principal, number).fields["filename"] for number in (1, 2)]
    services.archive.update(principal, 1, {"channel": "b"})
    copying = StoreCopier(services.catalogue, services.store, target, trusted=False, jobs=1).run()
    next(copying)
    services.restorer.restore(principal, 1, revision=1)
    list(copying)
    assert [target.read(name) for name in first] == [services.store.read(name) for name in first]


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_every_page_lists_the_files_of_its_series(services, filled, monkeypatch, batch):
    """Four series: the first has an earlier file, the last is deleted."""
    monkeypatch.setattr(blobs, "_BATCH", batch)
    with services.catalogue.reading() as connection:
        listed = [(blob.series_id, blob.filename) for blob in blobs.kept_blobs(connection)]
    assert [series for series, _ in listed] == [1, 1, 2, 3, 4]
    assert sorted(name for _, name in listed) == filled


def test_existing_files_are_verified_and_not_rewritten(services, filled, target):
    for key in filled[:2]:
        target.create(key, services.store.read(key))
    outcome = moved(services, target)
    assert (outcome[CopyStatus.THERE], outcome[CopyStatus.COPIED]) == (filled[:2], filled[2:])


@pytest.mark.parametrize("trusted", [False, True])
def test_another_file_under_the_same_key_is_named_and_kept(services, filled, target, trusted):
    other = b"x" * services.store.size(filled[0])
    target.create(filled[0], other)
    target.create(filled[1], b"short")
    outcome = moved(services, target, trusted=trusted)
    assert outcome[CopyStatus.FAILED] == (filled[1:2] if trusted else filled[:2])
    assert (target.read(filled[0]), target.read(filled[1])) == (other, b"short")


def test_a_damaged_file_is_not_copied(services, filled, target, principal):
    root = services.config.directory / "store"
    damaged, missing = (services.reader.get(principal, number).fields["filename"] for number in (2, 3))
    (root / damaged).write_bytes(b"damaged")
    (root / missing).unlink()
    assert moved(services, target)[CopyStatus.FAILED] == sorted([damaged, missing])
    assert target.size(damaged) is target.size(missing) is None


def test_a_file_that_cannot_be_read_is_named_and_the_rest_copied(services, filled, target, principal, tmp_path):
    root = services.config.directory / "store"
    unreadable = services.reader.get(principal, 2).fields["filename"]
    (root / unreadable).rename(tmp_path / "elsewhere.h5")
    (root / unreadable).symlink_to(tmp_path / "elsewhere.h5")  # none is followed
    found = list(StoreCopier(services.catalogue, services.store, target, trusted=False).run())
    (failed,) = [one for one in found if one.status is CopyStatus.FAILED]
    assert failed.blob.filename == unreadable
    assert failed.problem == "cannot be read: The store failed. Contact the operator."
    assert sorted(one.blob.filename for one in found if one.status is CopyStatus.COPIED) == sorted(
        {*filled} - {unreadable}
    )


def test_unavailable_source_ends_the_copy(services, filled, target, tmp_path):
    root = services.config.directory / "store"
    root.rename(tmp_path / "elsewhere")
    root.write_text("no folder")
    with pytest.raises(UnavailableError):
        moved(services, target)


def test_file_swept_during_the_copy_is_no_failure(services, filled, target):
    with services.catalogue.reading() as connection:
        rows = connection.exec_driver_sql("SELECT filename FROM unlinked_blobs").scalars().all()
    for key in rows:
        services.store.delete(key)
    assert moved(services, target)[CopyStatus.GONE] == sorted(rows)


def test_failing_target_ends_the_copy_and_the_next_run_continues(services, filled, target, monkeypatch):
    create, calls = target.create, itertools.count()

    def full(key, blob):
        if next(calls) == 2:
            raise UnavailableError("The store is full.")
        create(key, blob)

    monkeypatch.setattr(target, "create", full)
    with pytest.raises(UnavailableError):
        moved(services, target)
    outcome = moved(services, target, trusted=True)
    assert sorted(outcome[CopyStatus.THERE] + outcome[CopyStatus.COPIED]) == filled
    assert outcome[CopyStatus.THERE]


@pytest.fixture(scope="module")
def bucket(object_server):
    assert object_server.make_bucket("moving")
    return "moving"


@pytest.fixture
def place(services, archive_url, principal, object_server):
    settings = {name: value for name, value in object_server.settings("").items() if name != "store__url"}
    with Place(services.config.directory, archive_url, **settings) as place:
        services.archive.create(principal, body())
        yield place


def here(place):
    return f"file://{place.root}"


def test_command_copies_the_store_and_back(place, bucket, tmp_path):
    there, back = f"s3://{bucket}/there-and-back", f"file://{tmp_path}/back"
    for source, target in ((here(place), there), (there, back)):
        outcome = place.command("store", "copy", source, target, "--json")
        assert outcome.exit_code == 0, outcome.stderr
        told = json.loads(outcome.stdout)
        assert (told["copied"], told["failed"], told["failures"]) == (1, 0, [])
        (file,) = place.named()
        assert told["bytes"] == (place.root / file).stat().st_size
    assert (tmp_path / "back" / file).read_bytes() == (place.root / file).read_bytes()


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("s3://absent/place", "bucket of the store does not exist"),
        ("s3://{bucket}/used", "is not empty, and 'holiday/beach.jpeg' does not belong"),
        ("{here}", "are the same place, or one contains the other"),
        ("{here}/inside/", "are the same place, or one contains the other"),
        ("file://{alias}/inside", "are the same place, or one contains the other"),
        ("ftp://host/store", "is not the address of a store"),
    ],
)
def test_the_command_refuses_a_target(place, object_server, bucket, tmp_path, target, words):
    (alias := tmp_path / "alias").symlink_to(place.root)
    used = open_store(f"s3://{bucket}/used", object_server.config(bucket))
    if used.size("holiday/beach.jpeg") is None:
        used.create("holiday/beach.jpeg", b"a photograph")
    outcome = place.command("store", "copy", here(place), target.format(bucket=bucket, here=here(place), alias=alias))
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert words in outcome.stderr
    assert [blob.key for blob in used.scan()] == ["holiday/beach.jpeg"]
