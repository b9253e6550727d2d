"""The documentation site, built once for all tests of a run."""

import fcntl
import subprocess
import sys

from tests.support import PATIENCE, TOP

SITE = TOP / "docs/_site"

#: What Sphinx says when it reads and writes no page anew is less than a second's work.
BUILD = ["-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "-d", ".sphinx", "docs", "docs/_site"]


def built_site():
    """Build the site as ``make docs-site`` does, one process at a time; return what Sphinx prints, and the folder."""
    (TOP / ".sphinx").mkdir(exist_ok=True)
    with (TOP / ".sphinx/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        outcome = subprocess.run(
            [sys.executable, *BUILD], cwd=TOP, capture_output=True, text=True, timeout=4 * PATIENCE
        )
    assert outcome.returncode == 0, outcome.stderr
    return SITE
