"""``run``: an astronomer's command in this process, with the admin's token and a separate home."""

import json
import os
import pty
import subprocess
import sys

import pytest

from tests.support import PATIENCE, command


class Shell:
    def __init__(self, url, token, home):
        self.environment = {
            "PHOTSERIES_URL": url,
            "PHOTSERIES_TOKEN": token,
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
        }

    def __call__(self, *words, status=0, stdin=None, **environment):
        """Run a command; an error is one line, never a traceback."""
        outcome = command(*map(str, words), stdin=stdin, **self.environment | environment)
        assert outcome.exit_code == status, outcome.output
        return outcome

    def on_a_terminal(self, *words, typed=""):
        """Run a command as a process on a terminal; gives its exit status and what stood on the screen."""
        screen, terminal = pty.openpty()
        command = [sys.executable, "-m", "photseries", *map(str, words)]
        environment = {**os.environ, **self.environment, "TERM": "xterm", "COLUMNS": "100"}
        with subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment) as process:
            os.close(terminal)
            os.write(screen, typed.encode())
            seen = b""
            while chunk := _read(screen):
                seen += chunk
            status = process.wait(PATIENCE)
        os.close(screen)
        return status, seen.decode()

    def lines(self, *words, **options):
        """The objects that a command prints, one a line."""
        return [json.loads(line) for line in self(*words, "--json", **options).stdout.splitlines()]


def _read(screen):
    try:
        return os.read(screen, 65536)
    except OSError:  # what Linux says when the other end is closed
        return b""


@pytest.fixture(scope="module")
def run(service, tmp_path_factory):
    return Shell(service.url, service.token, tmp_path_factory.mktemp("home"))


@pytest.fixture
def as_anna(run, world, service, tmp_path):
    """The same with the token of somebody who may only read."""
    return Shell(service.url, world.tokens["anna reads"], tmp_path)
