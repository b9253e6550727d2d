"""Run the tests of the export with hats, lsdb and Dask, in an environment of their own; exit status 0 when they pass.

They bring half a gigabyte of packages. Run as ``python -m tests.server.hats.environment [ARGUMENTS OF PYTEST]``.
"""

import subprocess
import sys

from tests.environments import TOP, environment

#: Where the packages for S3 need another version than everything else is tested with.
UNBOUND = ("python-dateutil",)


def main(arguments):
    lines = (TOP / "constraints.txt").read_text().splitlines()
    python = environment("hats", "hats", constraints=[line for line in lines if line.split("==")[0] not in UNBOUND])
    # The packages warn of themselves already when they are imported; and they need a pandas that knows of pyarrow, as
    # it does only when they come before tests/__init__.py.
    options = ["-W", "default", "-p", "lsdb", "-p", "no:cacheprovider"]
    command = [python, "-m", "pytest", *options, "tests/server/hats", *arguments]
    return subprocess.run(command, cwd=TOP).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
