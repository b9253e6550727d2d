"""The two envelopes of all answers, and the parts of an exception that clients may see."""

from __future__ import annotations

import http.client
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import orjson
from tornado.web import HTTPError

from photseries import __version__
from photseries.errors import PhotseriesError

__all__ = ["error_envelope", "failure", "headers_of", "presentable", "success", "success_pieces"]

#: The page of the documentation that explains each error, in a section named after its code.
ERRORS: Final = "/docs/reference/errors.html"


def success(data: object = None) -> bytes:
    """Encode data, including dataclasses and numeric arrays, in the success envelope as JSON; NaN becomes null."""
    return orjson.dumps(
        {"status": "success", "data": data, "version": __version__},
        option=orjson.OPT_SERIALIZE_NUMPY,
        default=np.ndarray.tolist,  # for non-contiguous arrays, which orjson does not support
    )


def success_pieces(pieces: Sequence[bytes]) -> list[bytes]:
    """Wrap pieces of encoded JSON in the success envelope."""
    return [b'{"status":"success","data":', *pieces, b',"version":%b}' % orjson.dumps(__version__)]


def failure(error: PhotseriesError) -> bytes:
    """Encode the error envelope as JSON."""
    return orjson.dumps(error_envelope(error))


def error_envelope(error: PhotseriesError) -> dict[str, object]:
    """Return the error envelope."""
    data = {"code": error.code, "fields": error.fields, **error.details}
    return {"status": "error", "message": error.message, "data": data, "version": __version__}


def headers_of(error: PhotseriesError, allowed: Iterable[str], challenges: str) -> dict[str, str]:
    """Return the headers of an error on a path with some methods and authentication schemes."""
    headers = {"Link": f'<{ERRORS}#{error.code.replace("_", "-")}>; rel="help"'}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if error.status == 401:
        headers["WWW-Authenticate"] = challenges
    if error.status == 405:
        headers["Allow"] = ", ".join(allowed)
    return headers


class ProtocolError(PhotseriesError):
    """A refusal by Tornado: an unsupported method, a malformed request."""

    code = "http"

    def __init__(self, error: HTTPError) -> None:
        super().__init__(f"{http.client.responses.get(error.status_code, 'Refused')}.")
        self.status = error.status_code


def presentable(exception: BaseException | None, request_id: str) -> PhotseriesError:
    """Return the error that a client gets for an exception; an unexpected one shows only the request id."""
    if isinstance(exception, PhotseriesError):
        return exception
    if isinstance(exception, HTTPError) and exception.status_code < 500:
        return ProtocolError(exception)
    return PhotseriesError("Internal error. Report the request id to the operator.", details={"request_id": request_id})
