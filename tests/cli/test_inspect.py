"""``photseries inspect``, and hints that are followed to the end: each leads to a series that is stored."""

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.support import DATA

CASES = DATA / "cases"
VALUES = {"OBJ_ID": "S", "SERIES_NAME": "hints", "SERIES_OBJ_ID": "1", "EXP_TIME": "30", "RA": "10", "DEC": "20"}

#: Files of different kinds; each is read without an option, or inspect finds the options.
FILES = (
    "text/atlas.txt",
    "text/aavso_ext.txt",
    "text/mrt.txt",
    "csv/ztf_irsa.csv",
    "csv/asassn_v1.csv",
    "csv/crts.csv",
    "csv/euro.csv",
    "csv/gfilter.csv",
    "fits/qlp.fits",
    "fits/everest.fits",
    "parquet/lsst.parquet",
    "votable/jd_timesys.vot",
)


@pytest.fixture(scope="module")
def instrument(admin, world, run):
    Path(run.environment["XDG_CONFIG_HOME"]).mkdir(exist_ok=True)  # astropy warns where there is none
    assert admin.post("/api/sources", json={"id": "S", "ra": 10.0, "dec": 20.0}).status_code in (200, 409)
    return str(admin.post("/api/instrument", json={"name": "hints"}).json()["data"]["id"])


def filled(words, instrument):
    """The words of a command, with values for what stands in capitals."""
    values = {**VALUES, "INSTRUMENT_ID": instrument, "FILTER": "bessellv"}
    return [values.get(word, re.sub("=FILTER$", "=bessellv", word)) for word in words]


@pytest.mark.parametrize("file", FILES)
def test_the_command_that_inspect_prints_uploads_the_file(run, instrument, file):
    shown = run("inspect", CASES / file, "--obj-id", "S").stdout
    (line,) = [line for line in shown.splitlines() if line.startswith("  photseries upload ")]
    words = filled(shlex.split(line)[1:], instrument)
    known = set(words)
    lines = run.lines(*words, "--set", f"series_name={file}")
    assert {one["status"] for one in lines} == {"created"}, (lines, known)


@pytest.mark.parametrize(
    ("file", "options", "hint", "further"),
    [
        ("text/atlas.txt", [], r"\((--where F=o)\)", []),
        ("text/atlas.txt", [], r"\((--split-by F)\)", []),
        ("text/OGLE-BLG-RRLYR-00001.dat", ["--filter", "besselli"], r"\((--names)\)", ["hjd,mag,magerr"]),
        ("csv/gaia_epoch.csv", ["--where", "band=G"], r"\((--flux-unit),", ["electron/s"]),
        ("csv/gaia_epoch.csv", ["--where", "band=G"], r"\((--mag-col)\)", ["mag"]),
        ("csv/gfilter.csv", [], r"(--filter-map g=sdssg)", []),
        ("hdf5/twokeys.h5", ["--filter", "bessellb"], r"\((--table)\)", ["B"]),
        ("csv/jd_reduced.csv", ["--filter", "bessellv", "--time-format", "rjd"], None, []),
    ],
)
def test_an_error_suggests_a_remedy(run, instrument, file, options, hint, further):
    fields = [
        "--obj-id",
        "S",
        "--instrument-id",
        instrument,
        "--series-obj-id",
        1,
        "--exp-time",
        30,
        "--ra",
        1,
        "--dec",
        2,
    ]
    words = ["upload", CASES / file, *fields, "--series-name", f"{file} {hint}", *options]
    if hint is not None:
        message = run(*words, status=2).stderr
        found = re.search(hint, message)
        assert found, message
        words += [*shlex.split(found[1]), *further]
    assert {line["status"] for line in run.lines(*words)} == {"created"}


def test_description_is_available_as_json(run):
    document = json.loads(run("inspect", CASES / "csv/asassn_v1.csv", "--json").stdout)
    (series,) = document["series"]
    assert series["survey"] == "ASAS-SN Sky Patrol V1"
    assert [one["column"] for one in series["columns"] if one["role"] == "mag"] == ["mag"]
    assert series["filters"] == {"V": 3}
    assert series["fields"]["limiting_mag"] == 15.518
    assert "upper limits" in " ".join(series["warnings"])


def test_an_unreadable_file_is_reported_in_one_line(run, tmp_path):
    (tmp_path / "bad.csv").write_text("mjd,mag\n59000.1,12\n59000.2\n")
    outcome = run("inspect", tmp_path / "bad.csv", status=2)
    assert outcome.stderr == "photseries: bad.csv: line 3 has 1 cells, but there are 2 names: mjd, mag.\n"
    outcome = run("inspect", tmp_path / "bad.csv", CASES / "csv/crts.csv", status=2)
    assert "Catalina Surveys" in outcome.stdout
