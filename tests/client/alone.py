"""Install the client alone, and check what it is without the server; exit status 0 when all holds.

Run as ``python tests/client/alone.py [OPTIONS OF PIP]`` on Linux, macOS or Windows; the environment is made anew in
``.venv-client/``. The tests run without ``conftest.py``, whose fixtures start servers. Where this checkout has a server
in ``.venv``, the client asks it, too.
"""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PLACE = ROOT / ".venv-client"
SCRIPTS = PLACE / ("Scripts" if sys.platform == "win32" else "bin")
SERVER = ROOT / ".venv/bin/photseries"
MAX_SIZE = 260  # [MB]
TESTS = [
    *("client/test_settings.py", "formats/test_base64_text.py", "formats/test_zipped.py"),
    *("lightcurve/test_appending.py", "lightcurve/test_digest.py", "lightcurve/test_folding.py"),
    *("lightcurve/test_metadata.py", "lightcurve/test_photometry.py"),
    *("parameters/test_kinds.py", "parameters/test_query.py"),
]
ASK = """
import sys, photseries
print("The service at", sys.argv[1], "has version", photseries.Client(*sys.argv[1:]).check())
"""


def main(options):
    venv.create(PLACE, with_pip=True, clear=True)
    python = str(SCRIPTS / "python")
    install = [python, "-m", "pip", "install", "-q", *options]
    subprocess.run([*install, str(ROOT)], check=True)
    check_size(python)
    check_commands()
    if SERVER.exists():
        check_client(python)
    subprocess.run([*install, "astropy", "hypothesis", "pytest", "pytest-timeout"], check=True)
    tests = [str(ROOT / "tests" / name) for name in TESTS]
    return subprocess.run([python, "-m", "pytest", "--noconftest", *tests], cwd=ROOT).returncode


def check_size(python):
    listed = subprocess.run([python, "-m", "pip", "list"], check=True, capture_output=True, text=True).stdout
    size = sum(path.stat().st_size for path in PLACE.rglob("*") if path.is_file() and not path.is_symlink()) / 1e6
    print(f"The client alone: {len(listed.splitlines()) - 2} packages, {size:.0f} MB with pip")
    assert size < MAX_SIZE, f"more than {MAX_SIZE} MB"


def check_commands():
    command = str(SCRIPTS / "photseries")
    assert "serve" in subprocess.run([command, "--help"], check=True, capture_output=True, text=True).stdout
    refused = subprocess.run([command, "serve"], capture_output=True, text=True)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
    assert "pip install 'photseries[server]'" in refused.stderr


def check_client(python):
    with tempfile.TemporaryDirectory() as folder:
        serve = [str(SERVER), "serve", "--port", "0", "--data", folder]
        with subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as service:
            assert service.stdout is not None
            try:
                url = next(line.split()[-1] for line in service.stdout if " ready at " in line)
                token = Path(folder, "admin-token").read_text().strip()
                subprocess.run([python, "-c", ASK, url, token], check=True)
            finally:
                service.terminate()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
