"""A fork_server whose children do to themselves what a hostile file might make libhdf5 do: the upload says what."""

import ctypes
import mmap
import os
import signal
import socket
import threading

from photseries.errors import UnreadableFileError
from photseries.hdf5 import plain_hdf5
from photseries.server.sandbox import worker


def _hang():
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def _memory():
    hoard = []
    while True:
        hoard.append(bytearray(16 * 1024 * 1024))


def _processor():
    while True:
        pass


def _answer(content):
    """Write to the one descriptor that leads somewhere."""
    for descriptor in range(3, 100):
        try:
            os.write(descriptor, content)
        except OSError:
            continue


def _half_an_answer():
    _answer((1000).to_bytes(8, "little") + b"{")
    os.kill(os.getpid(), signal.SIGKILL)


def _survived(attempt):
    """Say so when what a filter of system calls must end has not ended this process."""

    def act():
        try:
            attempt()
        finally:
            raise UnreadableFileError("survived")

    return act


def _executable_memory():
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)


#: What no reader needs, for each of which the kernel is to end it.
FORBIDDEN = {
    b"fork": os.fork,
    b"open": lambda: os.open("/etc/hostname", os.O_RDONLY),
    b"list": lambda: os.listdir("/proc/self/fd"),
    b"stat": lambda: os.stat("/etc/hostname"),
    b"write": lambda: os.open("/tmp/photseries-marker", os.O_CREAT | os.O_WRONLY),
    b"remove": lambda: os.unlink("/tmp/photseries-marker"),
    b"execute": lambda: os.execv("/bin/true", ["true"]),  # noqa: S606
    b"connect": lambda: socket.socket(socket.AF_INET),
    b"local socket": lambda: socket.socket(socket.AF_UNIX),
    b"kill the parent": lambda: os.kill(os.getppid(), 0),
    b"change user": lambda: os.setuid(0),
    b"executable memory": _executable_memory,
    b"trace": lambda: ctypes.CDLL(None).ptrace(0, 0, 0, 0),
}

ACTS = {
    b"segv": lambda: ctypes.string_at(0),
    b"abort": os.abort,
    b"hang": _hang,
    b"memory": _memory,
    b"processor": _processor,
    b"garbage": lambda: _answer(b"\xff" * 100_000),
    b"half": _half_an_answer,
    b"exit": lambda: os._exit(0),
    b"error": lambda: 1 / 0,
    b"harmless": _survived(os.getpid),
    **{name: _survived(attempt) for name, attempt in FORBIDDEN.items()},
}


def _read(image, limits):
    act = ACTS.get(bytes(image[:20]))
    if act is None:
        return plain_hdf5.read(image, limits)
    return act()


def main(arguments):
    worker.main(arguments, read=_read)
