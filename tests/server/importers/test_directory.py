"""A tree of files by the how-to's recipe, with a mapping for what they do not say."""

import inspect
import json
import os
import re
from typing import Any

import click
import pytest
import yaml

from photseries.errors import ConflictError, NotFoundError, StartError, UnavailableError
from photseries.server.accounts import OPERATOR
from photseries.server.cli.importing import _follow
from photseries.server.importers import DirectoryImport, load_mapping
from photseries.server.importers.mapping import FileMapping
from photseries.server.importers.report import ImportOutcome, Report, Status
from photseries.server.importers.running import IMPORT, in_order
from photseries.server.schemas.metadata import MetadataSchema
from tests.server.importers.peer import plain
from tests.support import TOP, command, recipe_write, release_lock

METADATA = {"obj_id": "star", "ra": 10.0, "dec": -20.0, "exp_time": 30.0}
MAPPING: dict[str, Any] = {
    "owner": "admin",
    "path": "{series_name}/{series_obj_id}_{filter}.h5",
    "fields": {"instrument_id": 7, "group_ids": "all"},
}
PAGE = TOP / "docs/import.md"


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "tree"
    (folder / "night/1").mkdir(parents=True)
    for number, name in enumerate(("a_ztfg", "a_ztfr", "b_b_ztfg")):
        (folder / f"night/1/{name}.h5").write_bytes(recipe_write(plain(seed=number), METADATA))
    (folder / "night/1/notes.txt").write_text("cloudy")
    return folder


@pytest.fixture
def import_(services, tree):
    def run(**options):
        mapping = FileMapping(**{**MAPPING, **options.pop("mapping", {})})
        work = DirectoryImport(services, tree, mapping, **options)
        return work.check(), list(work.series())

    return run


def statuses(outcomes):
    return {outcome.filename: outcome.status for outcome in outcomes}


def test_every_file_becomes_a_series_once(import_, services, principal, tree):
    count, outcomes = import_(keep=False)
    assert count == 3
    assert services.upkeep.totals()[0] == 0
    assert {outcome.status for outcome in outcomes} == {"taken"}
    _, outcomes = import_()
    found = {outcome.filename: services.reader.get(principal, outcome.id).fields for outcome in outcomes}
    series = found["night/1/b_b_ztfg.h5"]
    names = ("series_name", "series_obj_id", "filter", "instrument_id", "obj_id", "exp_time")
    assert [series[name] for name in names] == ["night/1", "b_b", "ztfg", 7, "star", 30.0]
    assert services.accounts.id_of("groups", "Sitewide Group") in series["group_ids"]
    (tree / "night/1/a_ztfr.h5").write_bytes(recipe_write(plain(seed=9), METADATA))
    expected = {
        "night/1/a_ztfg.h5": "there",
        "night/1/a_ztfr.h5": "changed",
        "night/1/b_b_ztfg.h5": "there",
    }
    _, dry = import_(keep=False)
    _, outcomes = import_()
    assert statuses(dry) == statuses(outcomes) == expected
    assert dry == outcomes
    assert services.upkeep.totals()[0] == 3


def test_files_that_an_upload_refuses_are_stored_and_reported(import_, services, principal, tree):
    table = plain().assign(mjd=plain()["mjd"] + 2_400_000.5, filter=["ztfg", "ztfr"] * 15)
    (tree / "night/1/a_ztfg.h5").write_bytes(recipe_write(table, METADATA))
    for keep, status in ((False, "taken"), (True, "taken"), (True, "there")):
        _, outcomes = import_(keep=keep)
        outcome = outcomes[0]
        assert (outcome.filename, outcome.status) == ("night/1/a_ztfg.h5", status)
        if status == "taken":
            assert "They look like Julian dates" in outcome.message
            assert "'filter' has 'ztfg' (15 rows), 'ztfr' (15 rows)" in outcome.message
    assert services.reader.get(principal, outcome.id).fields["mjd_first"] == 2_459_000.5


def test_sources_are_created_on_request(import_, services, tree):
    for file in tree.rglob("*.h5"):
        file.write_bytes(recipe_write(plain(), {**METADATA, "obj_id": "new star", "ra": 33.0}))
    _, outcomes = import_()
    assert {outcome.status for outcome in outcomes} == {"refused"}
    assert "Invalid obj_id: new star" in outcomes[0].message
    _, outcomes = import_(mapping={"create_sources": True}, keep=False)
    assert {outcome.status for outcome in outcomes} == {"taken"}
    bad = {"fields": {**MAPPING["fields"], "instrument_id": 8}}
    _, outcomes = import_(mapping={"create_sources": True, **bad}, keep=False)
    assert {outcome.status for outcome in outcomes} == {"refused"}
    with pytest.raises(NotFoundError):
        services.accounts.get(OPERATOR, "sources", "new star")
    _, outcomes = import_(mapping={"create_sources": True})
    assert {outcome.status for outcome in outcomes} == {"taken"}
    assert services.accounts.get(OPERATOR, "sources", "new star")["ra"] == 33.0


def test_unusable_files_are_named(import_, tree):
    (tree / "night/1/a_ztfg.h5").write_bytes(b"no HDF5")
    (tree / "night/1/a_ztfr.h5").rename(tree / "night/1/a_nofilter.h5")
    (tree / "night/1/b_b_ztfg.h5").rename(tree / "top.h5")
    _, outcomes = import_()
    assert statuses(outcomes) == {
        "top.h5": "refused",
        "night/1/a_nofilter.h5": "refused",
        "night/1/a_ztfg.h5": "unreadable",
    }
    messages = {outcome.filename: outcome.message for outcome in outcomes}
    assert "does not fit {series_name}/{series_obj_id}_{filter}.h5" in messages["top.h5"]
    assert "Filter nofilter is not allowed" in messages["night/1/a_nofilter.h5"]


def test_a_name_in_another_encoding_is_refused(import_, tree, tmp_path):
    os.rename(tree / "night/1/a_ztfr.h5", os.fsencode(tree / "night/1") + b"/ete\xe9_ztfr.h5")
    _, outcomes = import_()
    assert sorted(statuses(outcomes).values()) == ["refused", "taken", "taken"]
    assert statuses(outcomes)["night/1/ete\\udce9_ztfr.h5"] == "refused"
    with Report(tmp_path / "report") as report:
        for outcome in outcomes:
            report.add(outcome)
        report.finish({}, ())
    (written,) = json.loads((tmp_path / "report.json").read_text())["series"]
    assert "not valid UTF-8" in written["message"]


@pytest.mark.parametrize("outcomes", [1, 1000])
def test_a_report_on_a_full_disk_is_named(tmp_path, outcomes):
    for kind in ("json", "csv"):
        (tmp_path / f".report.{kind}.partial").symlink_to("/dev/full")

    def write():
        with Report(tmp_path / "report") as report:
            for number in range(outcomes):
                report.add(ImportOutcome(number, None, "a.h5", Status.MISSING, "The file is missing."))
            report.finish({}, ())

    with pytest.raises(UnavailableError, match="no space for the report"):
        write()
    assert list(tmp_path.iterdir()) == []


def test_an_unreadable_folder_stops_the_import(import_, services, tree, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("night/1"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(StartError, match=r"The folder .*/night/1 cannot be read: Permission denied\."):
        import_()
    assert services.upkeep.totals()[0] == 0


def test_links_out_of_the_folder_stop_the_import(import_, services, tree, tmp_path):
    (tmp_path / "secret.h5").write_bytes(recipe_write(plain(), METADATA))
    (tree / "night/1/c_ztfg.h5").symlink_to(tmp_path / "secret.h5")
    with pytest.raises(ConflictError, match=r"'night/1/c_ztfg\.h5' is a link that leads out of the folder"):
        import_()
    assert services.upkeep.totals()[0] == 0


def test_missing_owner_is_refused(import_):
    with pytest.raises(NotFoundError, match="'nobody'"):
        import_(mapping={"owner": "nobody"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fields: {}", "has no key 'owner'"),
        ("[]", "has no key 'owner'"),
        ("{", "cannot be read"),
        ("{owner: a, folder: x}", "unknown key 'folder'; use owner, files, path, fields, create_sources"),
        ("{owner: 5}", "owner is 5; it must be a string"),
        ("{owner: a, path: '{mood}.h5'}", "'mood' is not one of"),
        ("{owner: a, path: '{filter}{filter}.h5'}", "redefinition of group name"),
        ("{owner: a, fields: {mood: good}}", "Unknown keys in metadata: .'mood'"),
        ("{owner: a, fields: {instrument_id: x}}", "instrument_id"),
    ],
)
def test_invalid_mappings_are_refused(tmp_path, text, message):
    (tmp_path / "mapping.yaml").write_text(text)
    with pytest.raises(StartError, match=message):
        load_mapping(tmp_path / "mapping.yaml", MetadataSchema(("ztfg",), 5))


def test_the_mapping_of_the_page(tmp_path):
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    (tmp_path / "mapping.yaml").write_text(text)
    mapping = load_mapping(tmp_path / "mapping.yaml", MetadataSchema(("ztfg",), 5))
    assert mapping.of("night/1/a_b_g.h5") == {
        "instrument_id": 1,
        "group_ids": "all",
        "series_name": "night/1",
        "series_obj_id": "a_b",
        "filter": "g",
    }


def test_import_command_reports_counts(services, tree, tmp_path, archive_url):
    (tmp_path / "mapping.yaml").write_text(yaml.safe_dump(MAPPING))
    words = ["import", "directory", str(tree), "--mapping", "mapping.yaml", "--json", "--data", str(tmp_path / "data")]
    outcome = command(*words, cwd=tmp_path, PHOTSERIES_DATABASE__URL=archive_url)
    assert outcome.exit_code == 0, outcome.stderr
    assert json.loads(outcome.stdout)["counts"]["taken"] == 3
    assert json.loads((tmp_path / "photseries-import.json").read_text())["counts"]["taken"] == 3


def test_an_import_ends_when_the_database_releases_its_lock(services, tree, tmp_path, archive_url, monkeypatch):
    """After a restart of the database another import may begin."""
    add, added = Report.add, []

    def release_and_add(report, outcome):
        add(report, outcome)
        added.append(outcome)
        release_lock(services, IMPORT)

    monkeypatch.setattr(Report, "add", release_and_add)
    (tmp_path / "mapping.yaml").write_text(yaml.safe_dump(MAPPING))
    words = ["import", "directory", str(tree), "--mapping", "mapping.yaml", "--data", str(tmp_path / "data")]
    outcome = command(*words, cwd=tmp_path, PHOTSERIES_DATABASE__URL=archive_url)
    assert outcome.exit_code == 2
    assert "Traceback" not in outcome.stderr
    assert len(added) == 1
    monkeypatch.undo()
    assert command(*words, cwd=tmp_path, PHOTSERIES_DATABASE__URL=archive_url).exit_code == 0
    assert services.upkeep.totals()[0] == 3


def test_a_full_disk_of_the_report_ends_the_import_of_series(tmp_path, monkeypatch):
    """Otherwise waiting series would still be stored while the services close."""

    def refuse(*_):
        raise UnavailableError("full")

    monkeypatch.setattr(Report, "add", refuse)
    one = ImportOutcome(1, "star", "a.h5", Status.TAKEN)
    outcomes = in_order(lambda _: one, range(20), 1)
    with Report(tmp_path / "report") as report, pytest.raises(click.ClickException, match="0 of 20 series are done"):
        _follow(outcomes, list, report, 20)
    assert inspect.getgeneratorstate(outcomes) == inspect.GEN_CLOSED


def test_an_import_beyond_a_quota_stops_with_one_line(services, tree, tmp_path, archive_url):
    (tmp_path / "mapping.yaml").write_text(yaml.safe_dump(MAPPING))
    words = ["import", "directory", str(tree), "--mapping", "mapping.yaml", "--data", str(tmp_path / "data")]
    outcome = command(*words, cwd=tmp_path, PHOTSERIES_DATABASE__URL=archive_url, PHOTSERIES_QUOTAS__SERIES="2")
    assert outcome.exit_code != 0
    (line,) = (line for line in outcome.stderr.splitlines() if "quota" in line)
    # The files are taken in at once; those after the one that finds the quota full may be stored, but are not counted.
    first = f"photseries: The quota of {MAPPING['owner']} is 2 series; this would make 3. "
    assert line in {f"{first}{done} of 3 series are done. Repeat the command to continue." for done in range(3)}
    assert "Traceback" not in outcome.stderr
    assert services.upkeep.totals()[0] == 2
