"""Dump and restore a database with PostgreSQL's programs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from sqlalchemy import URL

from photseries.errors import UnavailableError
from photseries.server.postgres.binaries import find_client

__all__ = ["dump", "restore"]


def dump(url: URL, version: int, file: Path) -> None:
    """Dump a database in ``pg_dump``'s custom format to a file of mode 0600, which is replaced.

    Parameters
    ----------
    version : int
        The major version of the server.

    Raises
    ------
    StartError
        When the program is not installed.
    UnavailableError
        When it fails, with the message of the program.
    """
    file.unlink(missing_ok=True)
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    _run("pg_dump", url, version, "--format=custom", f"--file={file}")


def restore(url: URL, version: int, file: Path) -> None:
    """Restore a dump to an empty database in one transaction; raises like :func:`dump`."""
    _run("pg_restore", url, version, "--single-transaction", "--no-owner", "--no-privileges", "--", str(file))


def _run(name: str, url: URL, version: int, *words: str) -> None:
    # All users of the machine can read command lines, so the password is not an argument.
    address = url.set(drivername="postgresql")._replace(password=None).render_as_string()
    password = {"PGPASSWORD": str(url.password)} if url.password else {}
    outcome = subprocess.run(  # noqa: S603
        [find_client(name, version), f"--dbname={address}", *words],
        env={**os.environ, **password},
        capture_output=True,
        text=True,
        errors="replace",  # a damaged dump
        check=False,
    )
    if outcome.returncode != 0:
        raise UnavailableError(f"{name} failed: {' '.join(outcome.stderr.split())}")
