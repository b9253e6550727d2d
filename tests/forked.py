"""Services for tests, forked from a process that has already imported photseries."""

import multiprocessing
import os
import subprocess

from photseries import pandas_without_pyarrow

pandas_without_pyarrow.import_pandas()

from photseries.cli import main  # noqa: E402  what a service is made of, and pandas before it
from tests.support import RunningService  # noqa: E402

#: The commands that serve. They import 770 modules when they start, which takes a second.
COMMANDS = ("photseries.server.cli.demo", "photseries.server.cli.operator")

forking = multiprocessing.get_context("forkserver")
forking.set_forkserver_preload([__name__, *COMMANDS])


class ForkedService(RunningService):
    """A service as any other, but for how its process comes about."""

    def start(self, words, environment, log):
        """Start the process."""
        return ForkedProcess(words, environment, log, self.directory.parent)


class ForkedProcess:
    """A process that looks like one of :mod:`subprocess`."""

    def __init__(self, words, environment, log, folder):
        told, tell = forking.Pipe(duplex=False)
        self._process = forking.Process(target=_command, args=(words, environment, log.name, folder, tell))
        self._process.start()
        tell.close()
        self.stdout = os.fdopen(os.dup(told.fileno()))
        told.close()

    @property
    def pid(self):
        return self._process.pid

    def poll(self):
        return self._process.exitcode

    def wait(self, timeout=None):
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("photseries", timeout)
        return self._process.exitcode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self):
        self._process.terminate()

    def kill(self):
        self._process.kill()


def _command(words, environment, log, folder, tell):
    with open(log, "a") as errors:
        os.dup2(errors.fileno(), 2)
    os.dup2(tell.fileno(), 1)
    tell.close()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    main(words, prog_name="photseries")
