"""Compression of answers: content negotiation, and compressed pieces."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Mapping
from typing import Final

import zstandard

__all__ = ["ENCODINGS", "MIN_COMPRESSED_BYTES", "choose_encoding", "compressor", "is_compressible"]

#: The encodings of answers, the preferred one first.
ENCODINGS: Final = ("zstd", "gzip")

#: Shorter answers are not worth compressing [bytes].
MIN_COMPRESSED_BYTES: Final = 1024

#: HDF5, Parquet, zip and PNG are compressed already, or incompressible.
_TYPES: Final = ("text/", "application/json", "application/x-ndjson", "application/x-votable+xml", "image/svg+xml")

#: Maximum length of Accept-Encoding that is considered; browsers send 30 characters.
_MAX_LENGTH: Final = 500

#: The fastest levels of both libraries, to save processor time.
_LEVEL: Final = 1


def is_compressible(content_type: str) -> bool:
    """Return whether answers of a media type are compressed for clients that accept it."""
    return content_type.startswith(_TYPES)


def choose_encoding(headers: Mapping[str, str], offers: tuple[str, ...] = ENCODINGS) -> str | None:
    """Return the encoding that Accept-Encoding prefers (RFC 9110, 12.5.3), or None for no compression."""
    return _preferred(headers.get("Accept-Encoding", "")[:_MAX_LENGTH], offers)


@functools.lru_cache(100)
def _preferred(accepted_encodings: str, offers: tuple[str, ...]) -> str | None:
    weights: dict[str, float] = {}
    for item in accepted_encodings.split(","):
        name, _, parameter = (part.strip().lower() for part in item.partition(";"))
        try:
            weights[name] = float(parameter.removeprefix("q=") or 1)
        except ValueError:
            weights[name] = 0.0
    accepted = [(weights.get(name, weights.get("*", 0.0)), name) for name in offers]
    weight, best = max(accepted, key=lambda pair: pair[0])
    return best if weight > 0 and weight >= weights.get("identity", 0.0) else None


def compressor(encoding: str) -> zstandard.ZstdCompressionObj | zlib._Compress:
    """Return a compressor for an encoding of :data:`ENCODINGS`."""
    if encoding == "zstd":
        return zstandard.ZstdCompressor(level=_LEVEL).compressobj()
    return zlib.compressobj(_LEVEL, wbits=16 + zlib.MAX_WBITS)
