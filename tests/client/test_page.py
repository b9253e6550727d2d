"""docs/client.md is true: its examples run as they are written."""

import sys

import pytest

from tests.forked import ForkedService
from tests.test_docs import TOP, blocks, run


@pytest.fixture(scope="module")
def reader(tmp_path_factory, database_url):
    """A fresh service, and what the page tells its reader to start from."""
    folder = tmp_path_factory.mktemp("reader")
    with ForkedService(folder / "data", database__url=database_url) as service:
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
