"""docs/client.md is true: its examples run as they are written, its tables are the code's."""

import re
import sys

import pytest

from photseries.formats import READERS, TIME_FORMATS
from tests.support import RunningService
from tests.test_docs import TOP, blocks, run

PAGE = TOP / "docs/client.md"


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A fresh service, and what the page tells its reader to start from."""
    folder = tmp_path_factory.mktemp("reader")
    with RunningService(folder / "data") as service:
        yield TOP, {"HOME": str(folder), "PHOTSERIES_URL": service.url, "PHOTSERIES_TOKEN": service.token}


def test_the_examples_run_in_their_order(reader, tmp_path):
    program = "\n".join(blocks("docs/client.md", "python"))
    assert program.count('"/tmp/series.h5"') == 1
    printed = run(
        [sys.executable, "-W", "error", "-c", program.replace("/tmp/series.h5", str(tmp_path / "series.h5"))], reader
    )
    assert printed.startswith("1 created ('399 of 18,699 rows have no brightness.',)\n")
    assert "tess::red 18699 " in printed
    assert "[('create', 1), ('update', 2), ('update', 3)]" in printed
    assert "look like jd (time_format=jd)" in printed
    assert (tmp_path / "series.h5").stat().st_size > 10**6


def table(head):
    """The rows of the table of the page with this first heading, without its own heads."""
    lines = PAGE.read_text("utf-8").split(f"\n| {head} |")[1].split("\n\n")[0].splitlines()[2:]
    return [tuple(re.split(r" \| ", line.strip("| "))) for line in lines]


def test_the_tables_are_the_codes():
    assert table("format") == [
        (known.name, " ".join(known.suffixes), known.reader.sentence) for known in READERS.values()
    ]
    assert table("time_format") == [(name, known.sentence) for name, known in TIME_FORMATS.items()]
