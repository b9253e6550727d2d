"""ETags, by which clients revalidate answers and make conditional changes."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Mapping

from photseries import __version__
from photseries.server.catalogue.series_queries import SeriesRecord
from photseries.server.http.base import BaseHandler
from photseries.server.http.encoding import ENCODINGS

__all__ = ["is_known", "revisions", "send_document", "set_validators", "tag_of"]

_TAG = re.compile(r'"([0-9]{1,19})\.([0-9]{1,9})\.[a-z0-9]+(?:\.[0-9a-f]{8})?(?:\+[a-z]+)?"')

#: Suffix of the ETag of a compressed answer.
_ENCODED = re.compile(rf'\+({"|".join(ENCODINGS)})"$')


def tag_of(series: SeriesRecord, file_format: str, content: bytes = b"") -> str:
    """Return the ETag of an answer about a series.

    Parameters
    ----------
    series : SeriesRecord
    file_format : str
        The format of the answer.
    content : bytes
        Content besides the revision that the answer depends on, such as the names of groups, which vary by user, or
        the location of the instrument. The versions of the service and of the statistics are always included.

    Returns
    -------
    str
        ``"ID.REVISION.FORMAT.MARK"``.
    """
    versions = f"{__version__} {series.statistics_version}"
    mark = zlib.crc32(content, zlib.crc32(versions.encode()))
    return f'"{series.blob.series_id}.{series.revision}.{file_format}.{mark:08x}"'


def is_known(headers: Mapping[str, str], tag: str) -> bool:
    """Return whether If-None-Match matches an ETag (weak comparison, RFC 9110, 13.1.2)."""
    return headers.get("If-None-Match", "").strip() == "*" or _as_listed(headers, tag) is not None


def _as_listed(headers: Mapping[str, str], tag: str) -> str | None:
    """Return the ETag in If-None-Match that matches an answer, possibly that of the compressed answer."""
    if "If-None-Match" not in headers:
        return None
    names = (name.strip().removeprefix("W/") for name in headers["If-None-Match"].split(","))
    return next((name for name in names if _ENCODED.sub('"', name) == tag), None)


def revisions(headers: Mapping[str, str], series_id: int) -> frozenset[int] | None:
    """Return the revisions of a series in If-Match, of any format; None if it is absent or ``*``."""
    text = headers.get("If-Match", "*").strip()
    if text == "*":
        return None
    return frozenset(int(revision) for number, revision in _TAG.findall(text) if int(number) == series_id)


async def send_document(handler: BaseHandler, content: bytes, media_type: str) -> None:
    """Send a document that is the same for all users, or 304 if the client has it."""
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    handler.set_header("Cache-Control", "no-cache")
    handler.set_header("Content-Type", media_type)
    handler.set_header("ETag", tag)
    if is_known(handler.request.headers, tag):
        handler.set_status(304)
    await handler.send([content])


def set_validators(handler: BaseHandler, tag: str, *vary: str) -> None:
    """Set the headers of an answer that a client may cache and revalidate.

    Parameters
    ----------
    handler : BaseHandler
    tag : str
    *vary : str
        Headers of the request on which the answer depends, besides the credentials.
    """
    handler.set_header("ETag", _as_listed(handler.request.headers, tag) or tag)
    handler.set_header("Cache-Control", "private, no-cache")
    handler.vary_by("Authorization", "Cookie", *vary)
