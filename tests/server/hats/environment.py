"""Run the tests of the export with hats, lsdb and Dask, in an environment of their own; exit status 0 when they pass.

They bring half a gigabyte of packages. Run as ``python tests/server/hats/environment.py [ARGUMENTS OF PYTEST]``; the
environment is made in ``.venv-hats/`` when it is missing: remove the folder to renew it.
"""

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PLACE = ROOT / ".venv-hats"
#: Where the packages for S3 need another version than everything else is tested with.
UNBOUND = ("python-dateutil",)


def main(arguments):
    python = PLACE / "bin" / "python"
    complete = PLACE / ".complete"
    if not complete.exists():
        venv.create(PLACE, with_pip=True, clear=True)
        bounds = (ROOT / "constraints.txt").read_text().splitlines(keepends=True)
        constraints = PLACE / "constraints.txt"
        constraints.write_text("".join(line for line in bounds if line.split("==")[0] not in UNBOUND))
        install = ["install", "-q", "-c", str(constraints), "-e", f"{ROOT}[dev,hats]"]
        subprocess.run([python, "-m", "pip", *install], check=True)
        complete.touch()
    # The packages warn of themselves already when they are imported; and they need a pandas that knows of pyarrow, as
    # it does only when they come before tests/__init__.py.
    options = ["-W", "default", "-p", "lsdb", "-p", "no:cacheprovider"]
    command = [python, "-m", "pytest", *options, "tests/server/hats", *arguments]
    return subprocess.run(command, cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
