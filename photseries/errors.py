"""The exception tree; each class has an HTTP status and a code.

::

    PhotseriesError                 500  internal
    ├── InvalidError                400  invalid            a request, a table or metadata that breaks a rule
    │   └── UnreadableFileError     400  unreadable_file    uploaded bytes that the safe reader refuses
    ├── UnauthorizedError           401  unauthorized       no token, or an invalid or expired one
    ├── ForbiddenError              403  forbidden          the token lacks a permission
    ├── NotFoundError               404  not_found          absent, or not visible to the caller
    ├── NotAcceptableError          406  not_acceptable     none of the formats in Accept is available
    ├── ConflictError               409  conflict           concurrent modification, retries exhausted
    │   ├── DuplicateError          409  duplicate          the unique key is taken
    │   ├── AbortedError            409  aborted            not stored because another series of the body is invalid
    │   ├── MissingReferenceError   409  missing_reference  a series to restore refers to a deleted entry
    │   └── InUseError              409  in_use             other entries still refer to it
    ├── ExpiredError                410  expired            the file of an earlier revision is no longer kept
    ├── PreconditionFailedError     412  precondition_failed  not the revision that the caller has seen
    ├── TooLargeError               413  too_large          a body above the limit
    ├── UnsupportedMediaTypeError   415  unsupported_media_type
    ├── HeadTooLargeError           431  head_too_large     a request line and headers above the limit
    ├── QuotaExceededError          507  quota_exceeded     the owner has as many series or bytes as allowed
    ├── NotInstalledError           501  not_installed      the service lacks an optional package
    ├── DamagedError                500  damaged            a stored file is missing or altered
    ├── TooManyRequestsError        429  too_many_requests  too many invalid tokens from one address
    │   └── BusyError               429  busy               too many heavy requests by one user
    ├── UnavailableError            503  unavailable        a part is down or full: try again
    │   ├── OutcomeUnknownError     503  in_doubt           COMMIT was sent and its outcome is unknown
    │   ├── NotAdoptedError         503  store_not_adopted  the store may be in use by another copy of the database
    │   ├── LateError               503  late               a computation exceeded its time limit
    │   ├── TooSlowError            503  too_slow           a database query exceeded its time limit: change it
    │   ├── LockTimeoutError        503  lock_timeout       other changes hold the required lock
    │   ├── TooManyConnectionsError 503  too_many_connections  the database accepts no more connections
    │   └── DatabaseAwayError       503  database_away      no database server answers
    ├── UnreachableError            (never sent)            a client finds no service, or an incompatible one
    ├── AlteredError                (never sent)            a client received a file that differs from the stored one
    └── StartError                  (never sent)            the service or a command cannot start as configured

Raise the narrowest class where the error is detected. Only :mod:`photseries.server.http` translates exceptions into the
one error body, and only the command line translates them into one line and an exit status.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar, Self


class PhotseriesError(Exception):
    """Base of all errors that photseries raises on purpose.

    Parameters
    ----------
    message : str
        The problem and the remedy, for the user. It is sent to clients, so it contains no paths and no SQL.
    fields : mapping of str to list of str, optional
        The problems by name of the field or query parameter.
    details : mapping, optional
        More facts for machines, merged into ``data`` of the error body (for example the id of a duplicate).

    Attributes
    ----------
    help : str
        The address of the page that explains the code, where a service sent the error; else empty.
    """

    status: int = 500
    code: ClassVar[str] = "internal"
    remedy: ClassVar[str] = "Report the request id to the operator, who finds the error in the log."
    retry_after: ClassVar[int | None] = None
    help: str = ""

    def __init__(
        self,
        message: str,
        *,
        fields: Mapping[str, list[str]] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.fields = dict(fields or {})
        self.details = dict(details or {})


class InvalidError(PhotseriesError):
    """A request, a table or metadata that breaks a rule."""

    status = 400
    code = "invalid"
    remedy = "Correct what `message` and `fields` name, and send the request again."

    @classmethod
    def of_field(cls, name: str, problem: str) -> Self:
        """Return the error about one field or query parameter."""
        return cls(problem, fields={name: [problem]})

    @classmethod
    def of_fields(cls, problems: Mapping[str, str] | Mapping[str, list[str]]) -> Self:
        """Return the error about several fields or query parameters; the message joins their problems."""
        fields = {name: [texts] if isinstance(texts, str) else texts for name, texts in problems.items()}
        return cls(" ".join(text for texts in fields.values() for text in texts), fields=fields)


class UnreadableFileError(InvalidError):
    """Uploaded bytes that the safe reader refuses, or that crashed the worker."""

    code = "unreadable_file"
    remedy = 'Write the file again as a pandas table (`format="table"`) without Python objects.'


class UnauthorizedError(PhotseriesError):
    """No token, or an invalid or expired one."""

    status = 401
    code = "unauthorized"
    remedy = "Run `photseries login`, or ask an admin for a new token."


class ForbiddenError(PhotseriesError):
    """The token lacks a permission for the request."""

    status = 403
    code = "forbidden"
    remedy = "Use a token with the permission; an admin can create one."


class NotFoundError(PhotseriesError):
    """Absent, or not visible to the caller: the answer is the same for both."""

    status = 404
    code = "not_found"
    remedy = "Check the id. If the series exists, ask its owner to share it with one of your groups."


class NotAcceptableError(PhotseriesError):
    """None of the formats that the request accepts is available."""

    status = 406
    code = "not_acceptable"
    remedy = "Request another format, or omit the header `Accept`."


class ConflictError(PhotseriesError):
    """Concurrent modification: the retries are exhausted."""

    status = 409
    code = "conflict"
    remedy = "Send the request again."


class DuplicateError(ConflictError):
    """The unique key is taken."""

    code = "duplicate"
    remedy = (
        "Change the existing series, skip or replace it (`if_exists`), or give another series_name, channel or origin."
    )


class AbortedError(ConflictError):
    """A valid series that was not stored because another series of the bulk upload is invalid."""

    code = "aborted"
    remedy = "Correct the series named in the other lines of the answer, and send all series again."


class MissingReferenceError(ConflictError):
    """The series to restore refers to a source, an instrument or another entry that was deleted."""

    code = "missing_reference"
    remedy = "Create the entry again under its old id, then restore the series."


class ExpiredError(PhotseriesError):
    """The file of an earlier revision or of a deleted series is no longer kept."""

    status = 410
    code = "expired"
    remedy = "Upload the table again. The operator decides how long files are kept (`store.grace`)."


class InUseError(ConflictError):
    """Other entries still refer to the entry that should be deleted."""

    code = "in_use"
    remedy = "First delete the entries counted in `references`."


class PreconditionFailedError(PhotseriesError):
    """The series is not at the revision given by the caller."""

    status = 412
    code = "precondition_failed"
    remedy = "Get the current revision, and repeat the change."


class TooLargeError(PhotseriesError):
    """A body above the configured limit."""

    status = 413
    code = "too_large"
    remedy = "Send HDF5 instead of JSON, or a shorter table; the operator can raise `server.max_body`."


class UnsupportedMediaTypeError(PhotseriesError):
    """A body of a type that this route does not accept."""

    status = 415
    code = "unsupported_media_type"
    remedy = "Set `Content-Type` to a type that the route accepts."


class HeadTooLargeError(PhotseriesError):
    """A request line and headers above the limit of 64 KiB or 200 headers."""

    status = 431
    code = "head_too_large"
    remedy = "Move the parameters into the body of `POST /api/photometric_series/query`."


class QuotaExceededError(PhotseriesError):
    """The request would exceed the quota of series or bytes of the owner."""

    status = 507
    code = "quota_exceeded"
    remedy = "Delete series, or ask the operator for a larger quota."


class NotInstalledError(PhotseriesError):
    """The service lacks an optional package, which the message names."""

    status = 501
    code = "not_installed"
    remedy = "Request another format, or ask the operator to install the package."


class DamagedError(PhotseriesError):
    """A stored file is missing, or differs from its row."""

    code = "damaged"
    remedy = "Tell the operator, who runs `photseries verify` and restores the file from a backup."


class TooManyRequestsError(PhotseriesError):
    """Too many requests from one address had invalid tokens."""

    status = 429
    code = "too_many_requests"
    remedy = "Wait a minute, and check the token."
    retry_after = 60


class BusyError(TooManyRequestsError):
    """The user has reached the limit of running and waiting heavy requests."""

    code = "busy"
    remedy = "Wait for the time in `Retry-After`, and send fewer heavy requests at once."
    retry_after = 5


class UnavailableError(PhotseriesError):
    """A part of the service is down or full; the same request may succeed later."""

    status = 503
    code = "unavailable"
    remedy = "Send the request again after the time in `Retry-After`."
    retry_after: ClassVar[int | None] = 2


class OutcomeUnknownError(UnavailableError):
    """COMMIT was sent and the connection broke before its answer: the change may or may not have happened."""

    code = "in_doubt"
    remedy = "Check whether the change happened before you repeat it."


class NotAdoptedError(UnavailableError):
    """The store has the mark of another copy of the database: no writes until ``photseries adopt-store``."""

    code = "store_not_adopted"
    remedy = "The operator makes sure that no other copy writes, and runs `photseries adopt-store`."


class LateError(UnavailableError):
    """A computation exceeded its time limit; a retry would take as long, so there is no Retry-After."""

    code = "late"
    remedy = "Reduce the request: fewer rows, a narrower range of periods. Or try later."
    retry_after = None


class TooSlowError(UnavailableError):
    """A database query exceeded its time limit; a retry would take as long, so there is no Retry-After."""

    code = "too_slow"
    remedy = "Add a criterion with an index, such as a position, a source or a filter."
    retry_after = None


class LockTimeoutError(UnavailableError):
    """Other changes held a database lock for too long."""

    code = "lock_timeout"
    remedy = "Send the request again; the operator looks for long transactions."


class TooManyConnectionsError(UnavailableError):
    """The database server has reached its connection limit."""

    code = "too_many_connections"
    remedy = "The operator raises `max_connections` of PostgreSQL, or lowers `server.threads`."


class DatabaseAwayError(UnavailableError):
    """The database server does not answer."""

    code = "database_away"
    remedy = "Send the request again; the operator looks at the database server."


class UnreachableError(PhotseriesError):
    """A client finds no compatible photseries service at its URL; never sent by a service."""

    code = "unreachable"
    remedy = "Check the URL with `photseries doctor`."


class AlteredError(PhotseriesError):
    """A client received a file that differs from the stored one; never sent by a service."""

    code = "altered"
    remedy = "Download the file again. If the error persists, a proxy modifies answers."


class StartError(PhotseriesError):
    """The service or a command cannot start as configured; never sent to clients."""

    code = "start"
    remedy = "Correct the setting or the argument that the message names."


def __getattr__(name: str) -> type[PhotseriesError]:
    """Return a class by the name that it had before 0.3."""
    if name == "InDoubtError":
        warnings.warn("InDoubtError is called OutcomeUnknownError.", DeprecationWarning, stacklevel=2)
        return OutcomeUnknownError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
