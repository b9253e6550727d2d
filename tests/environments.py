"""Virtual environments of tests: this checkout with some extras, kept until what it needs changes."""

import subprocess
import venv
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent


def environment(name, *extras, constraints=()):
    """Return the Python of ``.venv-NAME``, which has some extras and the development tools.

    Parameters
    ----------
    name : str
    *extras : str
    constraints : sequence of str
        Lines as in ``constraints.txt``.
    """
    folder = TOP / f".venv-{name}"
    python, complete, bounds = folder / "bin/python", folder / ".complete", folder / "constraints.txt"
    made_from = "\n".join([*extras, *constraints, (TOP / "pyproject.toml").read_text()])
    if not complete.exists() or complete.read_text() != made_from:
        venv.create(folder, with_pip=True, clear=True)
        bounds.write_text("\n".join(constraints))
        install = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*install, "pip>=25.1"], check=True)
        package = f".[{','.join(('server', *extras))}]"
        subprocess.run([*install, "-c", bounds, "-e", package, "--group", "dev"], check=True, cwd=TOP)
        complete.write_text(made_from)
    return str(python)
