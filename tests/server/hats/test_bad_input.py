"""What an export refuses: named in one line, exit status 2, and nothing is overwritten."""

import os
import subprocess
import sys

import orjson
import pytest

from tests.support import PATIENCE


@pytest.fixture
def refused(environment, tmp_path):
    """A function that runs the command, and gives the line that it ends with."""

    def run(*words):
        outcome = subprocess.run(
            [sys.executable, "-m", "photseries", "export", "hats", *words],
            env={**os.environ, **environment}, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE,
        )  # fmt: skip
        assert outcome.returncode == 2, outcome.stderr
        assert "Traceback" not in outcome.stderr
        return outcome.stderr.splitlines()[-1]

    return run


def tree(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_foreign_folder_is_refused(ids, refused, folder):
    folder.mkdir()
    (folder / "thesis.tex").write_text("precious")
    before = tree(folder)
    assert "is not empty and not an export of photseries" in refused(str(folder))
    (folder / "thesis.tex").rename(folder / "photseries.json")
    assert "was not written by photseries" in refused(str(folder))
    assert [*tree(folder).values()] == [*before.values()]


def test_the_export_of_another_archive_or_of_another_kind(ids, exported, refused, folder):
    exported()
    before = tree(folder)
    assert "was exported with rows series instead of source" in refused(str(folder), "--rows", "source")
    assert "was exported with columns [] instead of ['airmass']" in refused(str(folder), "--column", "airmass")
    owner = folder / "photseries.json"
    owner.write_bytes(orjson.dumps({**orjson.loads(owner.read_bytes()), "archive": "2001-01-01"}))
    assert "is the export of another archive" in refused(str(folder))
    assert {**tree(folder), owner: before[owner]} == before


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["gopher://host/place"], "gopher"),
        (["FILE"], "is not empty and not an export"),
        (["FOLDER", "--scheduler", "tcp://127.0.0.1:1"], "no Dask scheduler at tcp://127.0.0.1:1"),
        (["FOLDER", "--most", "0"], "--most"),
        (["FOLDER", "--column", "mjd"], "--column mjd"),
    ],
)
def test_options_are_named(ids, refused, folder, tmp_path, words, named):
    (tmp_path / "file").write_text("precious")
    places = {"FILE": str(tmp_path / "file"), "FOLDER": str(folder)}
    assert named in refused(*(places.get(word, word) for word in words))
    assert (tmp_path / "file").read_text() == "precious"
