"""Decompress the bytes of a file and decode its text."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Mapping
from typing import Final

from photseries.formats.options import invalid

__all__ = ["MAX_INFLATED_BYTES", "SUFFIXES", "decode_text", "decompress"]

#: Maximum decompressed size of a file [bytes].
MAX_INFLATED_BYTES: Final = 2**31

#: The suffixes of compressed files.
SUFFIXES: Final = (".gz", ".bz2", ".xz")

_OPENED: Final[Mapping[bytes, Callable[[io.BytesIO], gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile]]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}

_MARKS: Final = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}


def decompress(content: bytes, max_bytes: int = MAX_INFLATED_BYTES) -> bytes:
    """Decompress the content of a gzip, bzip2 or xz file; return other content unchanged.

    Raises
    ------
    InvalidError
        When it is damaged, or larger than ``max_bytes`` bytes.
    """
    opened = next((opened for mark, opened in _OPENED.items() if content.startswith(mark)), None)
    if opened is None:
        return content
    try:
        with opened(io.BytesIO(content)) as file:
            decompressed: bytes = file.read(max_bytes + 1)
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
        raise invalid(f"it is damaged, and cannot be decompressed: {error}.") from error
    if len(decompressed) > max_bytes:
        raise invalid(f"it has more than {max_bytes:,} bytes when it is decompressed.")
    return decompressed


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
