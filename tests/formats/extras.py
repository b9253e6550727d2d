"""Run the tests that need lightkurve, in an environment of their own; exit status 0 when they pass.

lightkurve needs pandas < 3, so it is not in the environment that everything else is tested in. Run as
``python tests/formats/extras.py [ARGUMENTS OF PYTEST]``; the environment is made in ``.venv-extras/`` when it is
missing: remove the folder to renew it.
"""

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PLACE = ROOT / ".venv-extras"
TESTS = [*(f"tests/formats/test_{name}.py" for name in ("missions", "reading", "roles", "units")), "tests/client"]


def main(arguments):
    python = PLACE / "bin" / "python"
    complete = PLACE / ".complete"
    if not complete.exists():
        venv.create(PLACE, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-e", f"{ROOT}[dev,lightkurve]"], check=True)
        complete.touch()
    return subprocess.run([python, "-m", "pytest", "-p", "no:cacheprovider", *TESTS, *arguments], cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
