"""ETags, by which clients revalidate answers and make conditional changes."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping

from photseries import __version__
from photseries.server.catalogue.series_queries import Found
from photseries.server.http.base import BaseHandler
from photseries.server.http.encoding import ENCODINGS

__all__ = ["is_known", "revisions", "set_validators", "tag_of"]

_TAG = re.compile(r'"([0-9]{1,19})\.([0-9]{1,9})\.[a-z0-9]+(?:\.[0-9a-f]{8})?(?:\+[a-z]+)?"')

#: How an ETag of a compressed answer ends.
_ENCODED = re.compile(rf'\+({"|".join(ENCODINGS)})"$')


def tag_of(found: Found, form: str, content: bytes = b"") -> str:
    """Name an answer about a series.

    Parameters
    ----------
    found : Found
    form : str
        The format of the answer.
    content : bytes
        What it depends on beside the revision: the names of groups, for one, which are not the series' own, and not
        the same for everybody. The versions of the service and of the series' statistics always count.

    Returns
    -------
    str
        ``"ID.REVISION.FORMAT.MARK"``.
    """
    versions = f"{__version__} {found.statistics_version}"
    mark = zlib.crc32(content, zlib.crc32(versions.encode()))
    return f'"{found.blob.series_id}.{found.revision}.{form}.{mark:08x}"'


def is_known(headers: Mapping[str, str], tag: str) -> bool:
    """Return whether If-None-Match names an answer, or any (RFC 9110, 13.1.2: what is weak is as good)."""
    return "*" in _listed(headers) or _as_listed(headers, tag) is not None


def _listed(headers: Mapping[str, str]) -> list[str]:
    return [name.strip().removeprefix("W/") for name in headers.get("If-None-Match", "").split(",")]


def _as_listed(headers: Mapping[str, str], tag: str) -> str | None:
    """Return the name that If-None-Match has for an answer: it may be that of the compressed answer."""
    return next((name for name in _listed(headers) if _ENCODED.sub('"', name) == tag), None)


def revisions(headers: Mapping[str, str], series_id: int) -> frozenset[int] | None:
    """Return the revisions of a series that If-Match names, in any format; None when it is absent or names any."""
    text = headers.get("If-Match", "*").strip()
    if text == "*":
        return None
    return frozenset(int(revision) for number, revision in _TAG.findall(text) if int(number) == series_id)


def set_validators(handler: BaseHandler, tag: str, *others: str) -> None:
    """Set the headers of an answer that a client may cache and revalidate.

    Parameters
    ----------
    handler : BaseHandler
    tag : str
    others : str
        Headers of the request on which the answer depends, beside the credentials.
    """
    handler.set_header("ETag", _as_listed(handler.request.headers, tag) or tag)
    handler.set_header("Cache-Control", "private, no-cache")
    handler.vary_by("Authorization", "Cookie", *others)
