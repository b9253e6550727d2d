"""Programs of Debian that tests need beside Python packages."""

import os
import subprocess
from pathlib import Path

import pytest

TOOL = Path(__file__).parent.parent / "tools" / "debian.sh"


def program(name, package):
    """The path of a program; skips the test, or fails it where programs are required, when there is none."""
    found = subprocess.run([TOOL, name, package], capture_output=True, text=True, timeout=100)
    if found.returncode:
        say = pytest.fail if os.environ.get("DEPLOY_TESTS") == "required" else pytest.skip
        say(found.stderr.strip().splitlines()[-1])
    return found.stdout.split()[-1]
