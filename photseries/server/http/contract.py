"""Contracts: parameters and answers of a handler method, declared beside its docstring, for OpenAPI.

The docstring's first line is the summary. A contract omits facts that follow from the handler: ``needs`` and
``takes_files``, the parameters in the path, and their errors (:mod:`photseries.server.http.openapi`). A test fails for
a route whose methods have no contract.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from tornado.web import RequestHandler

from photseries.errors import PhotseriesError
from photseries.parameters import Parameter

__all__ = ["IF_MATCH", "IF_NONE_MATCH", "RANGE", "Contract", "Header", "Raw", "Route"]

#: Path, handler, and more arguments of the handler.
Route = tuple[str, type[RequestHandler], Mapping[str, str]]

Verb = TypeVar("Verb", bound=Callable[..., object])


@dataclass(frozen=True)
class Header:
    """A header of a request; ``answered`` are the headers of its answer, with descriptions."""

    name: str
    sentence: str
    example: str
    answered: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Raw:
    """An answer without the envelope: its media types, and its JSON schema if it is JSON."""

    media: Sequence[str]
    schema: Mapping[str, object] | None = None


IF_MATCH = Header("If-Match", "Change the series only at the revision of one of these ETags.", '"1.1.none"')
IF_NONE_MATCH = Header(
    "If-None-Match",
    "Return only 304 if one of these ETags is current.",
    '"1.0.none"',
    {"ETag": "The value for If-None-Match and If-Match, which identifies the revision."},
)
RANGE = Header(
    "Range",
    "A byte range.",
    "bytes=0-99",
    {"Accept-Ranges": "Byte ranges are supported.", "Repr-Digest": "MD5 of a whole stored file (RFC 9530)."},
)


@dataclass(frozen=True, kw_only=True)
class Contract:
    """The parameters and answers of a method; also the decorator of the method.

    Parameters
    ----------
    query : sequence of Parameter
        The query parameters.
    headers : sequence of Header
        The relevant request headers.
    body : str, optional
        The name of the schema of the JSON body; where the handler takes any file, that there is one.
    gives : str, mapping or Raw, optional
        The ``data`` of a success: the name of a schema, a JSON schema, or raw bytes; None is null. In names
        ``{kind}`` is the kind of a registry.
    also : mapping of int to str
        Statuses other than 200 and error statuses, with their meaning.
    fails : sequence of type
        Additional errors, which are not derived from the rest.
    """

    query: Sequence[Parameter] = ()
    headers: Sequence[Header] = ()
    body: str | None = None
    gives: str | Mapping[str, object] | Raw | None = None
    also: Mapping[int, str] = field(default_factory=dict)
    fails: Sequence[type[PhotseriesError]] = ()

    def __call__(self, verb: Verb) -> Verb:
        """Attach the contract to a method."""
        verb.__dict__["contract"] = self
        return verb
