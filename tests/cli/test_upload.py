"""``photseries upload`` and ``update``: real files go up, what is wrong is said, the same command again is harmless."""

import json
import os
import re
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from photseries.cli.options import path_text
from photseries.client import Client, Outcome, Uploaded
from photseries.errors import InvalidError, QuotaExceededError
from tests.support import DATA, TESS, columns, macho, recipe_read

FIELDS = ("--obj-id", "star", "--instrument-id", 7, "--ra", 10, "--dec", -20, "--exp-time", 120, "--filter", "ztfg")


def written(folder, names, **more):
    """Make a folder of CSV files."""
    folder.mkdir(exist_ok=True)
    for name in names:
        pd.DataFrame(columns(seed=zlib.crc32(str(folder / name).encode()))).assign(**more).to_csv(
            folder / name, index=False
        )
    return folder


def stored(admin, series_id):
    return admin.get(f"/api/photometric_series/{series_id}").json()["data"]


def test_the_tess_file_comes_back_equal(run, world, tmp_path):
    (line,) = run.lines("upload", TESS, "--obj-id", "star", "--instrument-id", 7)
    assert (line["status"], line["file"]) == ("created", str(TESS))
    run("get", line["id"], "-o", tmp_path / "back.h5")
    frame, metadata = recipe_read((tmp_path / "back.h5").read_bytes())
    posted, _ = recipe_read(TESS.read_bytes())
    pd.testing.assert_frame_equal(frame, posted)
    assert metadata["filter"] == "tess::red"


def test_macho_files_get_fields_from_their_names(run, world, admin):
    pattern = str(DATA / "macho_*.mjd")
    words = ("--from-name", "macho_{series_obj_id}.{channel}.mjd", "--series-name", "MACHO", *FIELDS)
    lines = run.lines("upload", pattern, *words)
    assert [line["status"] for line in lines] == ["created"] * 2
    for line in lines:
        band = line["file"].split(".")[-2]
        series = stored(admin, line["id"])
        assert (series["series_obj_id"], series["channel"]) == ("1.3444.614", band)
        posted = macho(band)
        assert [series["data"][name] for name in ("mjd", "Mag", "Err")[:1]] == [posted["mjd"]]
        assert series["data"]["mag"] == posted["mag"]
        assert series["data"]["magerr"] == posted["magerr"]


def test_repeated_folder_upload_skips_stored_series(run, world, tmp_path):
    folder = written(tmp_path / "night", [f"{number}.csv" for number in range(12)])
    written(folder / "more", ["12.csv.gz"])
    (folder / "notes.unknown").write_text("no light curve")
    (folder / ".hidden.csv").write_text("nor this")
    words = ("upload", folder, "--from-name", "{series_obj_id}.csv{}", "--series-name", "again", *FIELDS)
    first = run(*words)
    assert len(re.findall(r"^created \d+ .*\.csv", first.stdout, re.MULTILINE)) == 13
    batch = re.fullmatch(r"batch (\S+)\n13 created \([\d.]+ s, [\d.]+/s\)\.\n", first.stderr)[1]
    assert len(run.lines("find", "--batch", batch)) == 13
    again = run.lines(*words, "--jobs", 1)
    assert [line["status"] for line in again] == ["skipped"] * 13
    assert len({line["id"] for line in again}) == 13
    assert "13 failed" in run(*words, "--if-exists", "error", status=2).stderr
    written(folder, ["3.csv"], bg=1.0)
    replaced = run.lines("upload", folder / "3.csv", *words[2:], "--if-exists", "replace")
    assert [line["status"] for line in replaced] == ["replaced"]
    assert [line["id"] for line in run.lines("find", "--batch", replaced[0]["batch"])] == [replaced[0]["id"]]
    assert len(run.lines("find", "--batch", batch)) == 12
    assert "bg" in run.lines("find", "--series-name", "again", "--series-obj-id", 3)[0]["medians"]


def test_failures_are_listed_with_reasons(run, world, tmp_path):
    folder = written(tmp_path / "mixed", ["good.csv", "other.csv"])
    (folder / "liar.fits").write_text("mjd,flux\n1,2\n")
    (folder / "late.csv").write_text("jd,brightness\n2459000,1\n")
    written(folder, [f"without-{number}.csv" for number in range(7)], mag=1.0)
    for number in range(7):
        (folder / f"without-{number}.csv").write_text("time,flux\n59000,1\n")
    words = ("upload", folder, "--from-name", "{series_obj_id}.{}", "--series-name", "mixed", *FIELDS)
    outcome = run(*words, status=1)
    assert outcome.stdout.count("created") == 2
    assert f"failed: it is not in the format fits.\n    {folder / 'liar.fits'}\n" in outcome.stderr
    assert "failed: No column was recognised as a flux or a magnitude" in outcome.stderr
    assert "failed (7 files): The format of the times in 'time' is unknown." in outcome.stderr
    assert outcome.stderr.count("without-") == 5
    assert "    and 2 more\n" in outcome.stderr
    assert outcome.stderr.splitlines()[-1].startswith("2 created, 9 failed (")
    lines = run.lines(*words, status=1)
    assert {line["status"]: line.get("code") for line in lines} == {"skipped": None, "failed": "invalid"}
    assert sum(line["status"] == "failed" for line in lines) == 9


def test_single_refused_file_is_reported_with_its_reason(run, world, tmp_path):
    folder = written(tmp_path, ["a.csv"])
    outcome = run("upload", folder / "a.csv", "--obj-id", "nobody", *FIELDS[2:], status=2)
    assert outcome.stdout == ""
    assert outcome.stderr.startswith("photseries: ")
    assert "series_name" in outcome.stderr
    misnamed = run("upload", folder / "a.csv", "--from-name", "{series_name}_{filter}.csv", *FIELDS, status=2)
    assert misnamed.stderr == "photseries: The name a.csv does not fit {series_name}_{filter}.csv.\n"


@pytest.mark.skipif(sys.platform != "linux", reason="file names of any bytes")
def test_a_file_name_that_is_not_unicode_is_printed_as_json(run, world, tmp_path):
    (file,) = written(tmp_path, ["a.csv"]).iterdir()
    file = file.rename(os.fsdecode(os.fsencode(file.parent) + b"/\xff.csv"))
    shown = f"{file.parent}/\N{REPLACEMENT CHARACTER}.csv"
    (line,) = run.lines("upload", file, "--dry-run", "--series-name", "x", "--series-obj-id", 1, *FIELDS)
    assert (line["file"], line["status"]) == (shown, "valid")
    (line,) = run.lines("upload", file, "--dry-run", status=2)
    assert (line["file"], line["status"]) == (shown, "failed")
    (line,) = run.lines("inspect", file)
    assert line["file"] == shown


def test_a_file_name_is_printed_as_itself_in_any_locale(monkeypatch):
    monkeypatch.setattr(os, "fsencode", lambda path: os.fspath(path).encode("latin-1"))
    assert path_text(Path("\xfc.csv")) == "\xfc.csv"


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.fits", "mjd,flux\n1,2\n", "a.fits: it is not in the format fits."),
        ("a.h5", "mjd,flux\n1,2\n", "a.h5: it is not in the format hdf5."),
        (
            "a.csv",
            "mjd,x\n59000,1\n",
            "a.csv: No column was recognised as a flux or a magnitude. Name it (--flux-col, --mag",
        ),
        (
            "a.csv",
            "time,flux\n1,2\n",
            "a.csv: The format of the times in 'time' is unknown. State it (--time-format): mjd, jd,",
        ),
        ("a.csv", "mjd,flux\n2459000.5,1\n", "a.csv: The times, around 2.459e+06 as MJD, cannot be right. They look "),
    ],
)
def test_a_bad_file_is_reported_in_one_line_with_a_remedy(run, tmp_path, name, content, line):
    (tmp_path / name).write_text(content)
    outcome = run("upload", tmp_path / name, "--series-name", "bad", "--series-obj-id", 1, *FIELDS, status=2)
    assert outcome.stderr.startswith(f"photseries: {line}")
    assert outcome.stderr.count("\n") == 1


def test_reader_options_apply_to_all_files(run, world, admin, tmp_path):
    table = pd.DataFrame({"when": [2457000.5, 2457001.5], "counts": [100.0, 101.0], "sigma": 1.0, "bg": 3})
    table.to_csv(tmp_path / "odd.data", index=False)
    (line,) = run.lines(
        "upload", tmp_path / "odd.data", "--format", "csv", "--time-col", "when", "--time-format", "bjd",
        "--flux-col", "counts", "--fluxerr-col", "sigma", "--zero-point", 23.9, "--series-name", "odd",
        "--series-obj-id", 1, *FIELDS, "--altdata", '{"seeing": 1.2}', "--set", "origin=by hand",
        "--stream-ids", world.feed,
    )  # fmt: skip
    series = stored(admin, line["id"])
    assert series["data"] == {"mjd": [57000.0, 57001.0], "flux": [100.0, 101.0], "fluxerr": [1.0, 1.0], "bg": [3, 3]}
    assert (series["time_scale"], series["time_refpos"], series["origin"]) == ("tdb", "barycenter", "by hand")
    assert series["altdata"]["seeing"] == 1.2
    assert series["stream_ids"] == [world.feed]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["absent.csv"], "There is no file absent.csv."),
        (["a.csv", ""], "There is no file ''."),
        (["no*.csv"], "There is no file no*.csv."),
        (["empty"], "empty contains no file with a known extension"),
        (["a.csv", "absent.csv"], "There is no file absent.csv."),
        (["a.csv", "--from-name", "{colour}.csv"], "'colour' is not one of obj_id"),
        (["a.csv", "--from-name", "{filter}{filter}"], "--from-name: "),
    ],
)
def test_wrong_file_name_sends_nothing(run, world, tmp_path, monkeypatch, names, message):
    monkeypatch.chdir(written(tmp_path, ["a.csv"]))
    (tmp_path / "empty").mkdir()
    outcome = run("upload", *names, *FIELDS, "--series-name", "unsent", "--series-obj-id", 1, status=2)
    assert message in outcome.stderr
    assert run.lines("find", "--series-name", "unsent") == []


def test_a_token_without_upload_permission_fails_early(as_anna, tmp_path):
    folder = written(tmp_path / "x", ["a.csv", "b.csv"])
    outcome = as_anna("upload", folder, *FIELDS, status=2)
    assert outcome.stderr == "photseries: This token may not upload: it lacks the permission 'Upload data'.\n"


def test_terminal_shows_a_progress_bar(run, world, tmp_path):
    folder = written(tmp_path / "bar", [f"{number}.csv" for number in range(5)])
    words = ["upload", folder, "--from-name", "{series_obj_id}.csv", "--series-name", "bar", *FIELDS]
    status, seen = run.on_a_terminal(*words)
    assert status == 0
    assert "5/5" in seen
    assert re.search(r"\d/s", seen)
    assert "5 created (" in seen
    assert "created 1" not in seen


def test_update_changes_fields_and_table(run, world, admin, tmp_path):
    folder = written(tmp_path, ["a.csv"])
    words = ("upload", folder / "a.csv", "--series-name", "changing", "--series-obj-id", 1, *FIELDS)
    (line,) = run.lines(*words, "--channel", "c1", "--origin", "first")
    run("update", line["id"], "--origin", "second", "--set", "channel=null", "--altdata", '{"a": 1}')
    series = stored(admin, line["id"])
    assert (series["origin"], series["channel"], series["altdata"]) == ("second", None, {"a": 1})
    table = pd.DataFrame({"btjd": [1.0, 2.0, 3.0], "flux": [5.0, 6.0, 7.0]})
    table.to_csv(folder / "new.csv", index=False)
    run("update", line["id"], "--data", folder / "new.csv", "--if-match", series["revision"])
    np.testing.assert_allclose(stored(admin, line["id"])["data"]["mjd"], 56999.5 + table["btjd"])
    late = run("update", line["id"], "--origin", "third", "--if-match", series["revision"], status=2)
    assert late.stderr.count("\n") == 1
    assert "Nothing to change" in run("update", line["id"], status=2).stderr


def test_a_dry_run_stores_nothing(run, world, tmp_path):
    folder = written(tmp_path / "dry", ["a.csv", "b.csv"])
    words = ("upload", folder, "--from-name", "{series_obj_id}.csv", "--series-name", "dry", *FIELDS)
    outcome = run(*words, "--dry-run")
    assert "2 valid" in outcome.stderr
    assert run.lines("find", "--series-name", "dry") == []
    run(*words)
    for line in run.lines(*words, "--dry-run"):
        assert line["status"] == "exists" or "exists already" in " ".join(line["warnings"])


def test_conflicting_and_corrected_files_are_handled(run, world, tmp_path):
    folder = written(tmp_path / "pair", ["one.csv", "other.csv"])
    words = ("--series-name", "pair", "--series-obj-id", 1, *FIELDS)
    for if_exists, done in (("skip", "created"), ("skip", "skipped"), ("replace", "replaced")):
        lines = run.lines("upload", folder, *words, "--if-exists", if_exists, status=1)
        assert sorted(line["status"] for line in lines) == sorted([done, "failed"])
        assert ["same key" in line["message"] for line in lines if line["status"] == "failed"] == [True]
    written(folder, ["one.csv"], bg=1.0)
    outcome = run("upload", folder / "one.csv", *words)
    assert "warning: The stored series has the same key and another table" in outcome.stderr


def test_warnings_of_the_service_are_printed(run, world, admin, tmp_path):
    frame = pd.DataFrame(columns(4)).assign(fluxerr=[1.0, 0.0, -1.0, 1.0])
    frame.to_csv(tmp_path / "errors.csv", index=False)
    words = ("--series-name", "warnings", "--series-obj-id", 1, *FIELDS)
    text = "2 of 4 errors in the column 'fluxerr' are zero or negative and count as absent."
    assert f"warning: {text}" in run("upload", tmp_path / "errors.csv", *words).stderr
    (line,) = run.lines("upload", tmp_path / "errors.csv", *words, "--if-exists", "replace")
    assert (line["status"], line["warnings"]) == ("replaced", [text])
    assert stored(admin, line["id"])["data"]["fluxerr"] == [1.0, 0.0, -1.0, 1.0]
    assert run("update", line["id"], "--data", tmp_path / "errors.csv").stderr == f"warning: {text}\n"
    assert run("update", line["id"], "--exp-time", 60).stderr == ""
    frame.assign(mjd=frame["mjd"] - 56999.5).to_csv(tmp_path / "btjd.csv", index=False)
    assert "They look like BTJD of TESS" in run("upload", tmp_path / "btjd.csv", *words, status=2).stderr
    assert (
        "replaced"
        in run("upload", tmp_path / "btjd.csv", *words, "--time-format", "btjd", "--if-exists", "replace").stdout
    )


def test_undo_removes_an_upload(run, world, tmp_path):
    words = ("--from-name", "{series_obj_id}.csv", "--series-name", "undo", *FIELDS)
    (old,) = run.lines("upload", *written(tmp_path / "a", ["1.csv"]).iterdir(), *words)
    folder = written(tmp_path / "b", ["1.csv", "2.csv"], bg=1.0)
    lines = run.lines("upload", folder, *words, "--if-exists", "replace")
    ids = {line["status"]: line["id"] for line in lines}
    (batch,) = {line["batch"] for line in lines}
    expected = {"deleted": [ids["created"]], "restored": [old["id"]]}
    dry = json.loads(run("undo", batch, "--dry-run", "--json").stdout)
    assert {outcome: numbers for outcome, numbers in dry.items() if numbers} == expected
    assert len(run.lines("find", "--batch", batch)) == 2
    assert run("undo", batch).stdout == f"deleted (1): {ids['created']}\nrestored (1): {old['id']}\n"
    assert [one["batch"] for one in run.lines("find", "--series-name", "undo")] == [old["batch"]]
    assert "No batch nowhere" in run("undo", "nowhere", status=2).stderr


def test_restore_brings_back_a_deleted_series(run, world, tmp_path):
    (line,) = run.lines(
        "upload", *written(tmp_path, ["r.csv"]).iterdir(), "--series-obj-id", "r", "--series-name", "r", *FIELDS
    )
    run("update", line["id"], "--channel", "b")
    run("delete", line["id"], "--yes")
    assert run("restore", line["id"]).stdout == f"Series {line['id']} is at revision 4.\n"
    assert run("restore", line["id"], "--revision", 1, "--if-match", 4).stdout.endswith("revision 5.\n")
    assert run.lines("find", "--series-name", "r")[0]["channel"] is None
    run("get", line["id"], "--revision", 2, "-o", tmp_path / "old.json")
    assert json.loads((tmp_path / "old.json").read_text())["channel"] == "b"
    assert "is not deleted" in run("restore", line["id"], status=2).stderr


def test_bulk_sends_a_file_with_many_series(run, world, admin, tmp_path):
    file = tmp_path / "night.parquet"
    pd.concat([pd.DataFrame(columns(9, seed=n)).assign(series_obj_id=f"s{n}") for n in range(5)]).to_parquet(file)
    words = ("upload", "--bulk", "--by", "series_obj_id", "--series-name", "parquet", *FIELDS)
    lines = run.lines(*words, file)
    assert [(line["status"], line["file"]) for line in lines] == [("created", str(file))] * 5
    assert [stored(admin, line["id"])["series_obj_id"] for line in lines] == [f"s{n}" for n in range(5)]
    assert {line["status"] for line in run.lines(*words, file)} == {"skipped"}
    assert "--by requires --bulk" in run("upload", "--by", "x", file, status=2).stderr


def test_bulk_sends_many_small_files_together(run, world, admin, tmp_path):
    folder = written(tmp_path / "night", [f"{number}.csv" for number in range(40)])
    before = admin.get("/metrics").text
    words = ("upload", "--bulk", folder, "--from-name", "{series_obj_id}.csv", "--series-name", "together", *FIELDS)
    lines = run.lines(*words)
    assert [line["status"] for line in lines] == ["created"] * 40
    assert stored(admin, lines[7]["id"])["series_obj_id"] == lines[7]["file"].rsplit("/", 1)[1].removesuffix(".csv")
    assert requests(admin.get("/metrics").text) == requests(before) + 1


def requests(metrics):
    """The number of bulk uploads."""
    found = re.findall(r'^photseries_requests_total\{.*route="Bulk".*\} (\S+)', metrics, re.MULTILINE)
    return sum(map(float, found))


def test_an_upload_that_ends_early_links_to_the_page_about_errors(run, world, tmp_path, monkeypatch):
    error = QuotaExceededError("The quota of admin is 2 series.")
    error.help = "http://host/docs/reference/errors.html#quota-exceeded"
    folder = written(tmp_path / "night", ["a.csv", "b.csv"])
    item = (folder / "a.csv", {})
    monkeypatch.setattr(Client, "upload_many", lambda *_, **__: iter([Outcome(0, item, None, error)]))
    outcome = run("upload", folder, *FIELDS, status=2)
    assert outcome.stderr.splitlines()[-1] == (
        "photseries: The quota of admin is 2 series. 0 of 2 files are done. Repeat the command to continue. "
        f"See {error.help}"
    )


def test_files_are_counted_once_however_many_series_they_contain(run, world, tmp_path, monkeypatch):
    folder = written(tmp_path / "night", ["a.csv", "b.csv"])
    file, other = sorted(folder.iterdir())
    made = [Outcome(0, (file, {}), Uploaded(number, "created")) for number in range(1, 6)]
    quota = Outcome(1, (other, {}), None, QuotaExceededError("The quota of admin is 5 series."))
    monkeypatch.setattr(Client, "upload_many", lambda *_, **__: iter([*made, quota]))
    outcome = run("upload", folder, *FIELDS, status=2)
    assert "1 of 2 files are done." in outcome.stderr
    assert "5 created" in outcome.stderr
    monkeypatch.setattr(Client, "upload_many", lambda *_, **__: iter([*made, replace(quota, index=0, item=(file, {}))]))
    assert "0 of 2 files are done." in run("upload", folder, *FIELDS, status=2).stderr
    failed = Outcome(0, (file, {}), None, InvalidError("No row has a magnitude."))
    monkeypatch.setattr(Client, "upload_many", lambda *_, **__: iter([*made, failed, *made, quota]))
    assert "0 of 2 files are done." in run("upload", folder, *FIELDS, status=2).stderr
    monkeypatch.setattr(Client, "upload_many", lambda *_, **__: iter([*made, failed]))
    run("upload", file, *FIELDS, status=1)
