"""Decompress the bytes of a file and decode its text."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from photseries.formats.options import invalid

__all__ = ["MAX_INFLATED_BYTES", "SUFFIXES", "decode_text", "decompress"]

#: Maximum decompressed size of a file [bytes].
MAX_INFLATED_BYTES: Final = 2**31

#: The suffixes of compressed files.
SUFFIXES: Final = (".gz", ".bz2", ".xz")

#: The first bytes of a stream, and the decompressor of one stream.
_STREAMS: Final[Mapping[bytes, Callable[[], zlib._Decompress | bz2.BZ2Decompressor | lzma.LZMADecompressor]]] = {
    b"\x1f\x8b": partial(zlib.decompressobj, 31),
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ\x00": lzma.LZMADecompressor,
}

_PIECE: Final = 2**16  # decompressed at once; copied for each stream that begins in it [bytes]

_MARKS: Final = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}


def decompress(content: bytes, max_bytes: int = MAX_INFLATED_BYTES) -> bytes:
    """Decompress all streams of a gzip, bzip2 or xz file; return other content unchanged.

    Zeros may follow a stream. The ``open`` functions of bz2 and lzma ignore a damaged stream after another one.

    Raises
    ------
    InvalidError
        When it is damaged, or larger than ``max_bytes`` bytes.
    """
    new_stream = next((stream for mark, stream in _STREAMS.items() if content.startswith(mark)), None)
    if new_stream is None:
        return content
    decompressed, stream = io.BytesIO(), new_stream()
    try:
        for start in range(0, len(content), _PIECE):
            piece = content[start : start + _PIECE]
            while piece := piece.lstrip(b"\0") if stream.eof else piece:
                stream = new_stream() if stream.eof else stream
                decompressed.write(stream.decompress(piece, max_bytes + 1 - decompressed.tell()))
                if decompressed.tell() > max_bytes:
                    raise invalid(f"it has more than {max_bytes:,} bytes when it is decompressed.")
                piece = stream.unused_data
    except (OSError, zlib.error, lzma.LZMAError) as error:
        raise invalid(f"it is damaged, and cannot be decompressed: {error}.") from error
    if not stream.eof:
        raise invalid("it is damaged, and cannot be decompressed: its end is missing.")
    return decompressed.getvalue()


def decode_text(content: bytes) -> tuple[str, tuple[str, ...]]:
    """Return the text of a file, and a warning if it is not Unicode.

    Raises
    ------
    InvalidError
        When it is not text.
    """
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
        warnings: tuple[str, ...] = ()
    except UnicodeDecodeError as error:
        if encoding == "utf-16" or b"\0" in content:
            raise invalid("it is not text.") from error
        line = content.count(b"\n", 0, error.start) + 1
        text = content.decode("latin-1")
        warnings = (f"Line {line} is not UTF-8: the file was read as Latin-1.",)
    if "\0" in text:
        raise invalid("it is not text: it contains NUL characters.")
    return text, warnings
