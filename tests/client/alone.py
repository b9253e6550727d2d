"""Install the client alone and run the tests that need nothing else; exit status 0 when they pass.

Run as ``python tests/client/alone.py [OPTIONS OF PIP]`` on Linux, macOS or Windows; the environment is made anew in
``.venv-client/``. The tests run without ``conftest.py``, whose fixtures start servers.
"""

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PLACE = ROOT / ".venv-client"
SCRIPTS = PLACE / ("Scripts" if sys.platform == "win32" else "bin")
TESTS = [
    *("client/test_settings.py", "formats/test_base64_text.py", "formats/test_zipped.py"),
    *("lightcurve/test_appending.py", "lightcurve/test_cutting.py", "lightcurve/test_digest.py"),
    *("lightcurve/test_folding.py", "lightcurve/test_metadata.py", "lightcurve/test_photometry.py"),
    *("parameters/test_kinds.py", "parameters/test_query.py"),
]


def main(options):
    venv.create(PLACE, with_pip=True, clear=True)
    python = str(SCRIPTS / "python")
    tools = ["hypothesis", "pytest", "pytest-timeout"]
    subprocess.run([python, "-m", "pip", "install", "-q", *options, str(ROOT), *tools], check=True)
    subprocess.run([str(SCRIPTS / "photseries"), "--help"], check=True, stdout=subprocess.DEVNULL)
    tests = [str(ROOT / "tests" / name) for name in TESTS]
    return subprocess.run([python, "-m", "pytest", "--noconftest", *tests], cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
