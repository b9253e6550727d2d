"""Every example of docs/cli.md runs as it is written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.forked import ForkedService
from tests.support import PATIENCE
from tests.test_docs import TOP, blocks

pytestmark = pytest.mark.slow

EXAMPLES = "".join(blocks("docs/cli.md", "sh"))


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What the examples print, in one shell, in a folder that has the data of the tests."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "tests").symlink_to(TOP / "tests")
    with ForkedService(folder / "data") as service:
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "PHOTSERIES_URL": service.url,
        }
        outcome = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", EXAMPLES],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=1.5 * PATIENCE,
        )  # fmt: skip
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout, folder


def test_the_examples_work(printed):
    output, folder = printed
    assert f"saved in {folder}/.config/photseries/config.yaml" in output
    assert output.count("\ncreated ") == 3
    assert output.count('"status":"valid"') == 2
    assert "flux [µJy]" in output
    assert (folder / "copy.h5").read_bytes() == next(folder.glob("TIC_114807149_tess_red_*_1.h5")).read_bytes()
    names, *rows = (folder / "macho.csv").read_text().splitlines()
    assert names == "mjd,mag,magerr,magsys"
    assert {row.rpartition(",")[2] for row in rows} == {"instrumental"}
    assert (folder / "tess.zip").read_bytes()[:2] == b"PK"
    assert len((folder / "series.csv").read_text().splitlines()) == 4


def test_every_command_has_an_example():
    for command in ("login", "whoami", "upload", "find", "show", "get", "download", "update", "delete"):
        assert f"photseries {command}" in EXAMPLES
