"""A real service in a temporary folder, in its own process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from photseries.client import Client
from photseries.errors import StartError
from photseries.extras import is_installed

__all__ = ["RunningService", "run_service", "service"]

_READY: Final = " ready at "

#: How long a service may take to stop before it is killed [s].
_STOP: Final = 60.0


class RunningService(NamedTuple):
    """A running service: where it is, and the token of its admin."""

    url: str
    token: str

    def __repr__(self) -> str:
        return f"RunningService(url={self.url!r}, token=...)"


@contextmanager
def run_service(**settings: object) -> Iterator[RunningService]:
    """Run ``photseries serve`` on an empty archive, which is deleted at exit.

    Parameters
    ----------
    **settings
        Settings of the configuration as ``section__key``, for example ``quotas__series=10``.

    Yields
    ------
    RunningService
        On a free port of the loopback interface, with a database and a store of its own.

    Raises
    ------
    StartError
        When the server is not installed, or does not start.
    """
    if not is_installed("tornado") or not is_installed("sqlalchemy"):
        raise StartError("photseries.testing runs a real service: pip install 'photseries[server]'.")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PHOTSERIES_")}
    environment = inherited | {f"PHOTSERIES_{name.upper()}": str(value) for name, value in settings.items()}
    with tempfile.TemporaryDirectory(prefix="photseries-testing-") as folder, Path(folder, "log").open("w+b") as log:
        command = [sys.executable, "-m", "photseries", "serve", "--port", "0", "--data", f"{folder}/data"]
        with subprocess.Popen(  # noqa: S603  our own program
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process:
            try:
                yield _started(process, Path(folder))
            finally:
                _stop(process)


def _started(process: subprocess.Popen[str], folder: Path) -> RunningService:
    """Wait until a service answers."""
    line = process.stdout.readline() if process.stdout is not None else ""
    if _READY not in line:
        process.wait()
        problem = (folder / "log").read_text("utf-8", "replace").strip()
        raise StartError(f"The service did not start. {problem[-200:]}")
    return RunningService(line.split()[-1], (folder / "data/admin-token").read_text("utf-8").strip())


def _stop(process: subprocess.Popen[str]) -> None:
    """Stop a service, by force when it does not stop by itself."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP)
    except subprocess.TimeoutExpired:
        process.kill()


@contextmanager
def service(**settings: object) -> Iterator[Client]:
    """Run a real service, as :func:`run_service` does, and connect a client with the token of its admin.

    Yields
    ------
    Client

    Examples
    --------
    >>> import photseries.testing
    >>> with photseries.testing.service() as client:
    ...     uploaded = photseries.testing.upload_samples(client)
    ...     print(client.count())
    4
    """
    with run_service(**settings) as running, Client(running.url, running.token) as client:
        yield client
