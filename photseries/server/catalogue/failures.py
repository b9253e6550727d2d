"""The errors of an unreachable, overloaded or misconfigured database server, by SQLSTATE."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from photseries.errors import (
    DatabaseAwayError,
    LockTimeoutError,
    TooManyConnectionsError,
    TooSlowError,
    UnavailableError,
)

__all__ = ["CAUSES", "outcome_unknown", "translated"]

# SQLSTATE classes after which it is unknown whether a COMMIT took effect: connection exceptions, operator intervention.
_UNKNOWN_OUTCOME = ("08", "57P")

_AWAY = (DatabaseAwayError, "The database is not available. Try again.")
_FULL = (TooManyConnectionsError, "The database has reached its limit of connections. Try again.")
_BUSY = (UnavailableError, "The database cannot do this at the moment. Try again.")
#: SQLSTATE -> error, by the longest matching prefix; other states are defects and propagate.
CAUSES: Mapping[str, tuple[type[UnavailableError], str]] = {
    "08": _AWAY,
    "57P": _AWAY,
    "53300": _FULL,
    "57014": (TooSlowError, "The database query took too long. Request less at once, or use more selective criteria."),
    "55P03": (LockTimeoutError, "Other changes kept the database locked for too long. Try again."),
    "53100": (UnavailableError, "The disk of the database is full. Ask the operator to make room, then try again."),
    "25006": (UnavailableError, "The database is read-only: nothing can be changed. Ask the operator."),
    "42501": (UnavailableError, "The database denies the service a permission. Ask the operator."),
    **dict.fromkeys(("40", "53", "55", "57", "58"), _BUSY),
}
#: psycopg2 has no SQLSTATE for a refused connection, only the server's message.
_REFUSED_FULL = ("too many clients", "too many connections", "remaining connection slots")


@contextmanager
def translated() -> Iterator[None]:
    """Raise UnavailableError for failures of an unreachable, overloaded or misconfigured server."""
    try:
        yield
    except PoolTimeoutError as error:
        raise UnavailableError("The service is busy: all database connections are in use. Try again.") from error
    except DBAPIError as error:
        kind, message = _cause(error) or (None, "")
        if kind is None:
            raise
        raise kind(message) from error


def _cause(error: DBAPIError) -> tuple[type[UnavailableError], str] | None:
    state = _state(error) or ""
    for length in (5, 3, 2):
        if state[:length] in CAUSES:
            return CAUSES[state[:length]]
    if not state and any(words in str(error.orig) for words in _REFUSED_FULL):
        return _FULL
    return _AWAY if error.connection_invalidated or not state else None


def outcome_unknown(error: DBAPIError) -> bool:
    """Return whether a COMMIT that failed with an error may have taken effect."""
    return error.connection_invalidated or _state(error) is None or bool(_state(error, _UNKNOWN_OUTCOME))


def _state(error: DBAPIError, prefixes: tuple[str, ...] = ("",)) -> str | None:
    """Return the SQLSTATE when the server answered with one that starts with a prefix, else None."""
    state = getattr(error.orig, "pgcode", None)
    return state if isinstance(state, str) and state.startswith(prefixes) else None
