"""Named fault points between the steps of every change, where a test can kill the process or inject an error.

``PHOTSERIES_FAULT`` in the environment arms them: one or more of ``ACTION@POINT`` or ``ACTION@POINT@N``, separated by
``;``. ACTION is ``kill`` (SIGKILL to this process), ``stop`` (SIGSTOP, for a test that kills more than one process) or
``error:ERRNO`` (an OSError, for example ``error:ENOSPC@store: partial file made``). An armed point acts once, when it
is reached for the N-th time (default 1). Without the variable a point costs one attribute look-up.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from photseries.errors import StartError

__all__ = ["POINTS", "VARIABLE", "arm", "reached"]

log = logging.getLogger(__name__)

VARIABLE = "PHOTSERIES_FAULT"

#: Every point, and the state after a process that ends there.
POINTS: Mapping[str, str] = {
    "store: partial file made": "A file in .partial exists and is empty.",
    "store: partial file written": "It is complete, and may be in the memory of the system only.",
    "store: partial file synchronized": "It is complete and durable.",
    "store: folders made": "The folders of the blob exist, its name does not.",
    "store: blob linked": "The blob has its name, which may not be durable.",
    "store: folders synchronized": "The blob is durable, under two names.",
    "store: partial file removed": "The blob is durable, under its own name only; or writing it failed.",
    "store: files synchronized": "The files of many blobs are complete and durable; none of them has its name.",
    "store: blob removed": "A blob is gone, its folder may be empty.",
    "store: folders pruned": "Its empty folders are gone too.",
    "store: object put": "The object exists and is durable.",
    "store: object removed": "An object is gone.",
    "write: blob stored": "The blob exists, no transaction has begun.",
    "write: transaction begun": "A transaction has begun and is empty.",
    "write: before COMMIT": "The transaction is complete, COMMIT was not sent.",
    "write: committed": "The row names the blob, the client has no answer.",
    "write: discarding": "No row will ever name the blob, which is still there.",
    "create: row inserted": "The row, its sharing and its history are in the transaction.",
    "bulk: rows inserted": "The rows of a portion, their sharing and their history are in the transaction.",
    "update: row changed": "The row names the new blob, in the transaction only.",
    "update: sharing replaced": "The groups and streams are in the transaction.",
    "update: old blob noted": "The old blob is noted as unlinked, in the transaction only.",
    "update: history noted": "The change is in the history, in the transaction only.",
    "share: row changed": "The row has its new revision, in the transaction only.",
    "share: history noted": "Sharing and history are in the transaction.",
    "share: committed": "The sharing is changed, the client has no answer.",
    "restore: record deleted": "The old blob is not noted as unlinked any more, in the transaction only.",
    "restore: row written": "The row names the old blob again, in the transaction only.",
    "restore: history noted": "Row and history are in the transaction.",
    "restore: committed": "The row names the old blob again, the client has no answer.",
    "delete: row removed": "The row is gone and its blob noted, in the transaction only.",
    "delete: history noted": "The deletion is in the history, in the transaction only.",
    "delete: committed": "The row is gone, the client has no answer.",
    "purge: history cleared": "Values and files are gone from the history, in the transaction only.",
    "purge: committed": "They are gone, the files that it named are not; the client has no answer.",
    "sweep: elected": "This process holds the lock of the sweep.",
    "mark: row written": "The row of a new mark is committed; the store has the old mark, or none.",
    "mark: turn announced": "The next turn is in the database; the store has the mark of the previous one.",
    "mark: mark replaced": "The mark has the next turn, which the database has announced.",
    "sweep: looked up": "It is known which blobs are to go, of a batch or of a series; all are still there.",
    "sweep: blob swept": "Some files are removed, their records are not.",
    "sweep: notes dropped": "The notes about blobs that are gone are dropped, in the transaction only.",
    "migrate: locked": "This process holds the lock of the migration; the schema is the old one.",
    "migrate: upgraded": "The new schema is in the transaction.",
    "migrate: committed": "The schema is the new one.",
}

_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
_ERRNOS = {name: number for number, name in errno.errorcode.items()}

_counting = threading.Lock()
_armed: tuple[_Fault, ...] = ()


def reached(point: str) -> None:
    """Act on a point of :data:`POINTS` if it is armed."""
    if _armed:
        for fault in [fault for fault in _armed if fault.is_due(point)]:
            fault.act()


def arm(environ: Mapping[str, str]) -> None:
    """Arm the points that the environment names; called once, when a command starts.

    Parameters
    ----------
    environ : mapping
        The environment; only :data:`VARIABLE` is used.

    Raises
    ------
    StartError
        When an action or a point is unknown.
    """
    global _armed
    _armed = tuple(_Fault.read(text) for text in environ.get(VARIABLE, "").split(";") if text)
    for fault in _armed:
        log.warning("armed: %s at %r, time %d", fault.action, fault.point, fault.remaining)


@dataclass
class _Fault:
    """The action at a point when it is reached for the ``remaining``-th time from now."""

    action: str
    point: str
    remaining: int = 1

    @classmethod
    def read(cls, text: str) -> _Fault:
        action, _, location = text.partition("@")
        point, _, number = location.partition("@")
        kind, _, name = action.partition(":")
        is_valid = (kind in _SIGNALS and not name) or (kind == "error" and name in _ERRNOS)
        if not is_valid or point not in POINTS or not (number or "1").isdecimal():
            raise StartError(f"{VARIABLE} does not name an action and a point: {text!r}.")
        return cls(action, point, int(number or "1"))

    def is_due(self, point: str) -> bool:
        if point != self.point:
            return False
        with _counting:
            self.remaining -= 1
            return self.remaining == 0

    def act(self) -> None:
        kind, _, name = self.action.partition(":")
        if kind == "error":
            raise OSError(_ERRNOS[name], os.strerror(_ERRNOS[name]))
        # Sent to this thread, so that it takes no further step: another thread might receive a signal to the process.
        signal.pthread_kill(threading.get_ident(), _SIGNALS[kind])
