"""A nursery whose children do to themselves what a hostile file might make libhdf5 do: the upload says what."""

import ctypes
import os
import signal
import stat
import tempfile
import time

from photseries.codecs import plain_hdf5, worker
from photseries.errors import UnreadableFileError


def _answering():
    """Find the pipe on which the answer is expected."""
    for descriptor in range(3, 100):
        try:
            if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                return descriptor
        except OSError:
            continue
    raise LookupError


def _memory():
    hoard = []
    while True:
        hoard.append(bytearray(16 * 1024 * 1024))


def _processor():
    while True:
        pass


def _garbage():
    os.write(_answering(), b"\xff" * 100_000)


def _half_an_answer():
    os.write(_answering(), (1000).to_bytes(8, "little") + b"{")
    os.kill(os.getpid(), signal.SIGKILL)


def _report():
    """Say what the child may still do."""
    found = [f"uid {os.getuid()}"]
    for name, attempt in {
        "fork": _fork,
        "write": _write,
        "descriptors": _descriptors,
        "privileges": _privileges,
    }.items():
        try:
            attempt()
            found.append(name)
        except OSError:
            continue
    raise UnreadableFileError(" ".join(found))


def _fork():
    if os.fork() == 0:
        os._exit(0)


def _write():
    with tempfile.TemporaryFile(buffering=0) as file:
        file.write(b"x")


def _descriptors():
    """The upload twice (once mapped), the answer, three that lead nowhere, and the one that lists them."""
    if len(os.listdir("/proc/self/fd")) == 7:
        raise OSError


def _privileges():
    with open("/proc/self/status") as status:
        if "NoNewPrivs:\t1" in status.read():
            raise OSError


ACTS = {
    b"segv": lambda: ctypes.string_at(0),
    b"abort": os.abort,
    b"hang": lambda: time.sleep(1000),
    b"deaf": lambda: (signal.signal(signal.SIGTERM, signal.SIG_IGN), time.sleep(1000)),
    b"memory": _memory,
    b"processor": _processor,
    b"garbage": _garbage,
    b"half": _half_an_answer,
    b"exit": lambda: os._exit(0),
    b"error": lambda: 1 / 0,
    b"report": _report,
}


def _read(image, limits):
    act = ACTS.get(bytes(image[:20]))
    if act is None:
        return plain_hdf5.read(image, limits)
    return act()


def main(arguments):
    worker.main(arguments, read=_read)
