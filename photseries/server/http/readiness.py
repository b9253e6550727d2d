"""Readiness: the failing parts of the service, for reading and for writing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Final

from photseries.errors import UnavailableError
from photseries.server.services import Services

__all__ = ["PURPOSES", "Readiness"]

PURPOSES: Final = ("read", "write")

#: How long the outcome of a write probe is cached [s].
INTERVAL: Final = 5.0
#: A key of no blob, whose look-up shows whether the store can be read.
ABSENT: Final = "probe.h5"


class Readiness:
    """The checks of a process.

    Parameters
    ----------
    services : Services
    """

    def __init__(self, services: Services) -> None:
        self._write_to_store = services.store.check
        self._lock = threading.Lock()
        self._written_at = -INTERVAL
        self._outcome: UnavailableError | None = None
        self._checks: Mapping[str, Mapping[str, Callable[[], object]]] = {
            "read": {"database": services.catalogue.ping, "store": lambda: services.store.size(ABSENT)},
            "write": {
                "database": services.catalogue.require_writable,
                "store": self._probe_store,
                "mark of the store": services.archive.ownership.require,
            },
        }

    def require(self, purposes: Sequence[str]) -> None:
        """Check every part that the given :data:`PURPOSES` need.

        Raises
        ------
        UnavailableError
            With the unavailable parts and the reasons as ``away`` in its details.
        """
        away: dict[str, UnavailableError] = {}
        for purpose in purposes:
            for part, check in self._checks[purpose].items():
                try:
                    check()
                except UnavailableError as error:
                    away[part] = error  # a write error has more details than a read error
        if away:
            reasons = {part: error.message for part, error in away.items()}
            cause = next(iter(away.values()))
            raise UnavailableError(f"Not ready: {', '.join(away)}.", details={"away": reasons}) from cause.__cause__

    def _probe_store(self) -> None:
        with self._lock:
            if monotonic() >= self._written_at + INTERVAL:
                self._outcome = None
                try:
                    self._write_to_store()
                except UnavailableError as error:
                    self._outcome = error
                self._written_at = monotonic()
            if self._outcome is not None:
                raise self._outcome
