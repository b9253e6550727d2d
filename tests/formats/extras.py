"""Run the tests that need lightkurve, in an environment of their own; exit status 0 when they pass.

lightkurve needs pandas < 3, so it is not in the environment that everything else is tested in. Run as
``python -m tests.formats.extras [ARGUMENTS OF PYTEST]``.
"""

import subprocess
import sys

from tests.environments import TOP, environment

TESTS = [*(f"tests/formats/test_{name}.py" for name in ("missions", "reading", "roles", "units")), "tests/client"]


def main(arguments):
    command = [environment("extras", "lightkurve"), "-m", "pytest", "-p", "no:cacheprovider", *TESTS, *arguments]
    return subprocess.run(command, cwd=TOP).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
