from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from photseries.lightcurve.bandpasses import BANDPASSES, SNCOSMO_VERSION, allowed_filters
from photseries.server.settings import PhotometrySettings

TOOL = Path(__file__).parent.parent / "compare_bandpasses.py"


def test_the_list_of_sncosmo():
    assert SNCOSMO_VERSION == "2.13.1"
    assert len(BANDPASSES) == 187
    assert list(BANDPASSES) == sorted(set(BANDPASSES))
    assert {"ztfr", "sdssg", "tess", "kepler", "gaia::gbp", "2massj", "bessellv", "f444w"} <= set(BANDPASSES)


def test_the_configuration_adds_names():
    assert allowed_filters([]) == BANDPASSES
    names = allowed_filters(["zz", "ztfr", "aa", "aa"])
    assert set(names) == {*BANDPASSES, "aa", "zz"}
    assert list(names) == sorted(set(names))


def test_peer_23_the_filter_of_tess_files_is_allowed():
    assert "tess::red" in allowed_filters(PhotometrySettings().additional_bandpasses)


@pytest.mark.parametrize(
    ("names", "status", "said"),
    [
        (BANDPASSES, 0, ["in sncosmo alone:    -", "in photseries alone: -"]),
        (("new", *BANDPASSES[2:]), 1, ["in sncosmo alone:    new", f"alone: {BANDPASSES[0]}, {BANDPASSES[1]}"]),
    ],
)
def test_tool_reports_added_and_missing_names(tmp_path, names, status, said):
    (tmp_path / "sncosmo.py").write_text(
        "class bandpasses:\n"
        "    class _BANDPASSES:\n"
        f"        get_loaders_metadata = staticmethod(lambda: [{{'name': name}} for name in {tuple(names)!r}])\n"
        "__version__ = 'a stand-in'\n"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(TOOL.parent.parent)])}
    result = subprocess.run([sys.executable, str(TOOL)], env=environ, capture_output=True, text=True, check=False)
    assert result.returncode == status, result.stderr
    assert all(line in result.stdout for line in said)
