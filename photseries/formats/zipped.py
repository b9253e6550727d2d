"""A zip that is streamed; the lengths and checksums of its files are known in advance.

:mod:`zipfile` keeps the entry of every file in memory until the end; this module keeps the entries on disk, so memory
does not grow with the number of files. Nothing is compressed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO, Final

__all__ = ["Zip"]

_PLAIN: Final = 20  # the required version of a reader
_LARGE: Final = 45  # the same for lengths and offsets beyond 32 bits
_UTF8: Final = 1 << 11
_DATE: Final = 0x21  # 1980-01-01, the epoch of zip
_MAX_UINT32: Final = 0xFFFFFFFF
_MAX_FILES: Final = 0xFFFF
_PIECE: Final = 2**20


class Zip:
    """The headers and the directory of a zip, without the contents of its files.

    Parameters
    ----------
    directory : file
        Open for reading and writing; stores the directory of the zip.
    """

    def __init__(self, directory: IO[bytes]) -> None:
        self._directory = directory
        self._files = 0
        self._place = 0

    def file(self, name: str, length: int, crc: int) -> bytes:
        """Return the header of a file; its content must follow.

        Parameters
        ----------
        length : int
            [bytes]
        crc : int
            CRC-32 of the content.
        """
        encoded = name.encode()
        extra = _extra(length, length)
        head = b"PK\3\4" + _file_header(crc, length, encoded, extra) + encoded + extra
        extra = _extra(length, length, self._place)
        at = struct.pack("<3H2I", 0, 0, 0, 0, _MAX_UINT32 if extra else self._place)
        about = _file_header(crc, length, encoded, extra)
        self._directory.write(b"PK\1\2" + about[:2] + about + at + encoded + extra)
        self._files += 1
        self._place += len(head) + length
        return head

    def end(self) -> Iterator[bytes]:
        """Yield the directory, which ends the zip."""
        length = self._directory.tell()
        self._directory.seek(0)
        while piece := self._directory.read(_PIECE):
            yield piece
        yield self._end_of_directory(length)

    def _end_of_directory(self, length: int) -> bytes:
        files, offset = self._files, self._place
        large = b""
        if files >= _MAX_FILES or _extra(length, offset):
            large = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, _LARGE, _LARGE, 0, 0, files, files, length, offset)
            large += struct.pack("<4sIQI", b"PK\6\7", 0, offset + length, 1)
        few = min(files, _MAX_FILES)
        return large + struct.pack(
            "<4s4H2IH", b"PK\5\6", 0, 0, few, few, min(length, _MAX_UINT32), min(offset, _MAX_UINT32), 0
        )


def _file_header(crc: int, length: int, name: bytes, extra: bytes) -> bytes:
    """Return the header of a file, also used in the directory; lengths that do not fit go to the extra field."""
    shown = _MAX_UINT32 if extra else length
    version = _LARGE if extra else _PLAIN
    return struct.pack("<5H3I2H", version, _UTF8, 0, 0, _DATE, crc, shown, shown, len(name), len(extra))


def _extra(*numbers: int) -> bytes:
    """Return lengths and offsets as an extra field of Zip64, if one of them exceeds 32 bits."""
    return b"" if max(numbers) < _MAX_UINT32 else struct.pack(f"<2H{len(numbers)}Q", 1, 8 * len(numbers), *numbers)
