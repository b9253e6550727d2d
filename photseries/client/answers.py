"""Decode an answer of the service into its data, or raise the service's exception."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import httpx
import orjson

from photseries import __version__, errors
from photseries.errors import PhotseriesError, UnreachableError
from photseries.formats import HDF5

__all__ = ["ApiResponse", "File", "LostAnswerError", "answer_of", "error_of", "file_of"]

_TAG = re.compile(r'"[0-9]+\.([0-9]{1,18})\.[a-z0-9.]+"')


class ApiResponse(NamedTuple):
    """The data of an answer, and the version of the service if stated."""

    data: object
    version: str | None


class LostAnswerError(httpx.RequestError):
    """The service's answer did not arrive: a proxy answered instead, or the answer was cut short."""


class File(NamedTuple):
    """The file of a series, and its revision."""

    content: bytes
    revision: int


def _tree(root: type[PhotseriesError] = PhotseriesError) -> Iterator[type[PhotseriesError]]:
    yield root
    for kind in root.__subclasses__():
        if kind.__module__ == errors.__name__:
            yield from _tree(kind)


#: The exceptions by code; if the code is unknown, the base class by status.
_BY_CODE = {kind.code: kind for kind in _tree()}
_BY_STATUS = {kind.status: kind for kind in reversed(list(_tree())) if kind.status != PhotseriesError.status}

#: Statuses that a proxy in front of the service may answer itself.
_OF_PROXIES = {413: errors.TooLargeError, 429: errors.TooManyRequestsError, 503: errors.UnavailableError}

#: Statuses of a proxy that may have passed the request on.
_LOST = (502, 504)


def answer_of(response: httpx.Response) -> ApiResponse:
    """Read an answer.

    Raises
    ------
    PhotseriesError
        The exception that the service raised, with its message, fields, details and the page that explains it.
    UnreachableError
        When photseries did not answer, or a version that this client does not understand.
    LostAnswerError
        When a proxy in front of the service had no answer from it.
    """
    response.read()
    envelope = _envelope(response)
    if envelope is None:
        raise _stranger(response)
    theirs = str(envelope["version"])[:40]
    if theirs.split(".")[0] != __version__.split(".")[0]:
        raise UnreachableError(
            f"The service at {response.url.host} is photseries {theirs}, but this client is {__version__}: "
            "install the client of the service's version."
        )
    if response.is_success and envelope["status"] == "success":
        return ApiResponse(envelope.get("data"), theirs)
    error = error_of(response.status_code, envelope)
    if page := response.links.get("help", {}).get("url"):
        error.help = str(response.url.join(page))
        error.add_note(f"See {error.help}")
    raise error


def file_of(response: httpx.Response) -> ApiResponse:
    """Read an answer that is the file of a series, given as :class:`File`; see :func:`answer_of`."""
    response.read()
    tag = _TAG.fullmatch(response.headers.get("ETag", ""))
    if response.is_success and response.headers.get("Content-Type") == HDF5.media_type and tag:
        return ApiResponse(File(response.content, int(tag[1])), None)
    answer_of(response)
    raise _stranger(response)


def error_of(status: int, envelope: dict[str, object]) -> PhotseriesError:
    """Return the exception that an error body describes; validate every part of the body."""
    data = envelope.get("data")
    details = dict(data) if isinstance(data, dict) else {}
    code, field_problems = details.pop("code", None), details.pop("fields", None)
    problems = field_problems.items() if isinstance(field_problems, dict) else ()
    fields = {str(name): [*map(str, texts)] for name, texts in problems if isinstance(texts, list)}
    kind = _BY_CODE.get(code) if isinstance(code, str) else None
    kind = kind or _BY_STATUS.get(status, PhotseriesError)
    error = kind(str(envelope.get("message") or "The service gave no reason."), fields=fields, details=details)
    error.status = status
    return error


def _envelope(response: httpx.Response) -> dict[str, object] | None:
    try:
        envelope = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return None
    if isinstance(envelope, dict) and envelope.get("status") in ("success", "error") and "version" in envelope:
        return envelope
    return None


def _stranger(response: httpx.Response) -> PhotseriesError | LostAnswerError:
    """Return the error for an answer that photseries did not send."""
    status, host = response.status_code, response.url.host
    summary = f"{host} answered HTTP {status} {response.reason_phrase}".rstrip()
    if status in _LOST:
        return LostAnswerError(f"a proxy answered HTTP {status} {response.reason_phrase}".rstrip())
    if kind := _OF_PROXIES.get(status):
        return kind(f"{summary}. The answer is probably from a proxy in front of the service.")
    if response.is_redirect:
        return UnreachableError(
            f"{summary}, a redirect to {response.headers.get('Location', '')!r:.200}: use that URL."
        )
    return UnreachableError(f"{summary}, but is not a photseries service. Check the URL.")
