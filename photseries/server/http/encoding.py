"""Compression of answers: content negotiation, and compressed pieces."""

from __future__ import annotations

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

#: The fastest levels of both libraries, to save processor time.
_LEVEL: Final = 1


def is_compressible(content_type: str) -> bool:
    """Return whether answers of a media type are compressed for clients that accept it."""
    return content_type.startswith(_TYPES)


def choose_encoding(headers: Mapping[str, str]) -> str | None:
    """Return the encoding that Accept-Encoding prefers (RFC 9110, 12.5.3), or None for no compression."""
    weights: dict[str, float] = {}
    for item in headers.get("Accept-Encoding", "").split(","):
        name, _, parameter = (part.strip().lower() for part in item.partition(";"))
        try:
            weights[name] = float(parameter.removeprefix("q=") or 1)
        except ValueError:
            weights[name] = 0.0
    accepted = [(weights.get(name, weights.get("*", 0.0)), name) for name in ENCODINGS]
    weight, best = max(accepted, key=lambda pair: pair[0])
    return best if weight > 0 and weight >= weights.get("identity", 0.0) else None


def compressor(encoding: str) -> zstandard.ZstdCompressionObj | zlib._Compress:
    """Return a compressor for an encoding of :data:`ENCODINGS`."""
    if encoding == "zstd":
        return zstandard.ZstdCompressor(level=_LEVEL).compressobj()
    return zlib.compressobj(_LEVEL, wbits=16 + zlib.MAX_WBITS)
