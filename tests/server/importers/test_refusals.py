"""What an import refuses is named, and leaves nothing behind; a dry run keeps nothing either."""

import os
import time
from contextlib import closing

import pytest

from photseries.errors import ConflictError, StartError, UnavailableError
from photseries.server import faults, settings
from photseries.server.accounts import OPERATOR
from photseries.server.importers import SkyPortalImport, import_lock, rows
from photseries.server.importers.files import Files
from photseries.server.importers.skyportal_schema import SkyPortal
from photseries.server.principal import ADMIN, Principal
from photseries.server.services import open_services
from tests.conftest import database
from tests.server.importers.peer import ROOT, Peer, plain
from tests.support import command

pytestmark = pytest.mark.slow


@pytest.fixture
def services(archive_url, tmp_path):
    config = settings.load(None, {}, {"database.url": archive_url, "data.directory": str(tmp_path / "data")})
    (tmp_path / "data").mkdir()
    with open_services(config) as everything:
        yield everything


@pytest.fixture
def peer(server, tmp_path):
    with database(server) as url:
        made = Peer(url, tmp_path / "files")
        made.people()
        for number in (1, 2, 3):
            made.series(number, plain(seed=number))
        yield made
        made.connection.close()


@pytest.fixture
def import_(services, peer):
    """Run the parts of an import; give the outcomes."""

    def run(**options):
        source = SkyPortal(peer.url, services.config.database)
        try:
            work = SkyPortalImport(services, source, peer.folder, **options)
            checked = work.check()
            services.sandbox.start()
            return checked, list(work.series())
        finally:
            source.close()

    return run


def kept(services):
    """How much the archive holds: entries of every registry, series, and files."""
    entries = sum(services.accounts.find(OPERATOR, kind, 1, 100)[1] for kind in ("users", "groups", "sources"))
    files = sum(path.is_file() for path in (services.config.directory / "store").rglob("[!.]*"))
    return entries, services.upkeep.totals()[0], files


def refused(import_, services, *texts, **options):
    before = kept(services)
    with pytest.raises(ConflictError) as caught:
        import_(**options)
    for text in ("Nothing was imported", *texts):
        assert text in caught.value.message
    assert kept(services) == before


def test_a_dry_run_reads_everything_and_keeps_nothing(import_, services):
    before = kept(services)
    checked, outcomes = import_(keep=False)
    assert [outcome.status for outcome in outcomes] == ["taken"] * 3
    assert checked.entries["users"] == {"new": 4, "there": 0}
    assert kept(services) == before
    import_()
    assert kept(services) == (4 + 6 + 5, 3, 3)


def test_users_of_another_name_or_id(import_, services):
    services.accounts.create(OPERATOR, "users", {"username": "admin", "id": 11})
    services.accounts.create(OPERATOR, "users", {"username": "ben", "id": 5})
    refused(
        import_,
        services,
        "user 11 is 'anna' in SkyPortal but 'admin' here",
        "user 'ben' has the id 12 in SkyPortal but 5 here",
    )


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (r"users SET username = E'ca\x1b[31mrl' WHERE id = 13", r"user 13 has an invalid username"),
        (r"groups SET name = E'cr\u202eew' WHERE name = 'crew'", r"has an invalid name in SkyPortal: 'cr\u202eew'"),
        (r"telescopes SET name = E'a\nb'", r"instrument 77 has an invalid telescope in SkyPortal: 'a\nb'"),
        (r"objs SET id = E'star\u2028' WHERE id = 'star 4'", r"source 'star\u2028' has an invalid id"),
        (r"users SET username = repeat('c', 501) WHERE id = 13", "user 13 has an invalid username in SkyPortal: 'cccc"),
        (r"telescopes SET name = repeat('c', 501)", "(at most 500 characters, without control characters)"),
    ],
)
def test_names_that_the_service_refuses(change, text, import_, services, peer):
    peer.cursor.execute(f"UPDATE {change}")
    refused(import_, services, text)


def test_a_telescope_without_a_name(import_, peer):
    peer.cursor.execute("UPDATE telescopes SET name = ''")
    assert [outcome.status for outcome in import_()[1]] == ["taken"] * 3


def test_different_series_with_the_same_id_is_reported(import_, services, peer):
    import_()
    with services.catalogue.transaction() as connection:
        connection.exec_driver_sql("UPDATE series_history SET action = 'create' WHERE series_id = 2")
    refused(import_, services, "series 2 is a different series here")


def test_a_series_that_skyportal_has_changed_since(import_, services, peer):
    import_()
    peer.cursor.execute("UPDATE photometric_series SET hash = 'another' WHERE id = 2")
    _, outcomes = import_()
    assert [outcome.status for outcome in outcomes] == ["there", "changed", "there"]


def test_a_series_that_was_deleted_here_does_not_come_back(import_, services):
    import_()
    services.archive.delete(Principal(11, "anna", 111, frozenset({ADMIN})), 2)
    _, outcomes = import_()
    assert [outcome.status for outcome in outcomes] == ["there"] * 3
    assert services.upkeep.totals()[0] == 2


def test_files_outside_the_folder_are_refused(import_, services, peer, tmp_path):
    (tmp_path / "secret").write_text("mine")
    (peer.folder / "sector/5/link.h5").symlink_to(tmp_path / "secret")
    peer.series(4, plain(seed=4))
    names = ["/etc/passwd", f"{ROOT}/../../../etc/passwd", f"{ROOT}/sector/5/link.h5"]
    for number, filename in enumerate(names, 1):
        peer.cursor.execute("UPDATE photometric_series SET filename = %s WHERE id = %s", [filename, number])
    why = ["lies outside the folder", "is not a plain path", "is a link that leads out"]
    texts = [f"series {number}: {name!r} {text}" for number, (name, text) in enumerate(zip(names, why, strict=True), 1)]
    refused(import_, services, *texts)
    _, outcomes = import_(excluded={1, 2, 3})
    assert [outcome.status for outcome in outcomes] == [*["excluded"] * 3, "taken"]


def test_file_root_can_be_configured(import_, services):
    refused(import_, services, "lies outside the folder '/elsewhere'", root="/elsewhere")
    _, outcomes = import_(root=ROOT)
    assert [outcome.status for outcome in outcomes] == ["taken"] * 3


def test_missing_folder_is_refused(import_, services, peer, tmp_path):
    peer.folder = tmp_path / "absent"
    with pytest.raises(StartError, match="is not a folder"):
        import_()


def test_invalid_files_are_reported(import_, services, peer, tmp_path):
    files = sorted(peer.folder.rglob("*.h5"))
    for file in files:
        file.unlink()
    files[0].mkdir()
    os.mkfifo(files[1])
    files[2].write_bytes(b"")
    _, outcomes = import_()
    assert [outcome.status for outcome in outcomes] == ["unreadable"] * 3


def test_damaged_rows_do_not_stop_the_import(import_, services, peer):
    """Statistics that are no numbers differ; a place that no telescope has is left out."""
    damaged = {"mjd": "infinite", "flux": [1.0], "fluxerr": {"a": None}, "background": True}
    peer.series(4, plain(seed=4), stored={"medians": damaged})
    peer.cursor.execute("INSERT INTO telescopes VALUES (6, 'Lost', 'NaN', 1000, 5)")
    peer.insert("instruments", [{"id": 78, "name": "Adrift", "telescope_id": 6}])
    checked, outcomes = import_()
    assert [outcome.status for outcome in outcomes] == ["taken"] * 4
    (difference,) = (one for one in outcomes[-1].differences if one.field == "medians")
    assert difference.theirs == {name: damaged[name] for name in ("mjd", "flux", "fluxerr")}
    assert difference.ours["fluxerr"] == 1.5
    place = services.accounts.get(OPERATOR, "instrument", "78")
    assert [place[name] for name in ("telescope", "longitude", "latitude", "height")] == ["Lost", None, None, 5]
    assert "1 instruments have impossible coordinates, which were not imported: Adrift." in checked.notes


def test_a_slow_disk_does_not_end_the_checks(archive_url, peer, tmp_path, monkeypatch):
    """The transactions are idle for longer than `database.statement_timeout` while the files are looked up."""
    fixed = {"database.url": archive_url, "data.directory": str(tmp_path / "data"), "database.statement_timeout": 2}
    config = settings.load(None, {}, fixed)
    (tmp_path / "data").mkdir()
    size = Files.size

    def slow(files, path):
        time.sleep(0.9)
        return size(files, path)

    monkeypatch.setattr(Files, "size", slow)
    with open_services(config) as services, closing(SkyPortal(peer.url, config.database)) as source:
        checked = SkyPortalImport(services, source, peer.folder).check()
        assert (checked.series, checked.missing) == (3, 0)
        assert services.accounts.id_of("users", "anna")


def test_foreign_database_is_refused(archive_url):
    with pytest.raises(StartError, match=r"not a SkyPortal database: it has no table .*objs"):
        SkyPortal(archive_url, settings.DatabaseSettings())


def test_a_version_with_other_columns(peer):
    peer.cursor.execute("ALTER TABLE photometric_series RENAME ref_flux TO magref")
    with pytest.raises(StartError, match=r"it lacks photometric_series\.ref_flux"):
        SkyPortal(peer.url, settings.DatabaseSettings())


def test_a_version_with_more_columns(import_, peer):
    peer.cursor.execute("ALTER TABLE photometric_series ADD mood text")
    checked, _ = import_()
    assert any("Unknown columns of photometric_series were ignored: mood" in note for note in checked.notes)


@pytest.mark.parametrize("url", ["postgresql://127.0.0.1:1/none", "mysql://x/y", "nonsense"])
def test_unreachable_database_is_refused(url):
    with pytest.raises(StartError):
        SkyPortal(url, settings.DatabaseSettings())


def test_users_without_a_group_of_their_own(import_, services, peer):
    peer.cursor.execute("DELETE FROM group_users WHERE group_id = 114")
    peer.cursor.execute("UPDATE groups SET single_user_group = NULL WHERE id = 114")
    checked, _ = import_()
    assert any("1 users without a single-user group" in note for note in checked.notes)
    with services.catalogue.reading() as connection:
        own = rows.own_groups(connection)
    assert own[14] == 115
    assert services.accounts.get(OPERATOR, "groups", "115")["name"] == "olga (14)"


def test_a_skyportal_whose_public_group_has_another_name(import_, services, peer):
    peer.cursor.execute("UPDATE groups SET name = 'Everybody' WHERE id = 2")
    import_()
    public = services.accounts.id_of("groups", "Sitewide Group")
    assert public == 115
    assert services.accounts.get(OPERATOR, "groups", str(public))["user_ids"] == [11, 12, 13, 14]


def command_refused(peer, archive_url, tmp_path):
    """What the command says when it ends with status 2."""
    words = ["import", "skyportal", "--files", str(peer.folder), "--database", peer.url.replace("+psycopg2", "")]
    words += ["--data", str(tmp_path / "data")]
    outcome = command(*words, cwd=tmp_path, PHOTSERIES_DATABASE__URL=archive_url)
    assert outcome.exit_code == 2
    assert not list(tmp_path.glob("photseries-import*"))
    (line,) = (line for line in outcome.stderr.splitlines() if line.startswith("photseries: "))
    return line


def test_the_command_ends_with_status_2(peer, archive_url, tmp_path):
    peer.cursor.execute("DROP TABLE stream_photometric_series")
    assert "it has no table stream_photometric_series" in command_refused(peer, archive_url, tmp_path)


def test_concurrent_import_is_refused(peer, services, archive_url, tmp_path):
    with import_lock(services.catalogue):
        assert "Another import into this archive is running" in command_refused(peer, archive_url, tmp_path)


def test_a_full_disk_ends_the_import_and_keeps_what_is_done(import_, services):
    faults.arm({faults.VARIABLE: "error:ENOSPC@store: partial file made@2"})
    try:
        with pytest.raises(UnavailableError, match="full"):
            import_()
    finally:
        faults.arm({})
    assert not list(services.upkeep.verify())
    _, outcomes = import_()
    assert {outcome.status for outcome in outcomes} == {"taken", "there"}
    assert kept(services)[1:] == (3, 3)
