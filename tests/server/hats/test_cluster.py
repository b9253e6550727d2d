"""A local Dask cluster of two workers: the program of the documents, and that workers write what one process does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server.hats.conftest import STARS
from tests.support import PATIENCE
from tests.test_docs import blocks


def test_the_program_of_the_documents_finds_every_period(ids, environment, tmp_path):
    (program,) = blocks("docs/hats.md", "python")
    (tmp_path / "program.py").write_text(program)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    outcome = subprocess.run(
        [sys.executable, "program.py"],
        env={**os.environ, **environment, "PATH": path},
        cwd=tmp_path, capture_output=True, text=True, timeout=5 * PATIENCE,
    )  # fmt: skip
    assert outcome.returncode == 0, outcome.stderr
    lines = outcome.stdout.splitlines()
    assert any(line.startswith("partitions=2  rows=4  written=2  series=8") for line in lines), lines
    for name, (_, _, period) in STARS.items():
        (found,) = [line.split()[-2] for line in lines if line.strip().startswith(f"{name} ")]
        assert float(found) == pytest.approx(period, rel=4e-3)
    assert "in the cone: near north north" in lines
    assert "matched: south is V1" in lines
