"""The bytes of a file as the only file object that libhdf5 can read."""

from __future__ import annotations

import os
from typing import Final

__all__ = ["Image"]


_SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"


class Image:
    """The file object that h5py's driver needs, on bytes in memory.

    Parameters
    ----------
    content : memoryview
        The whole file.
    """

    def __init__(self, content: memoryview) -> None:
        self._content = content
        self._place = 0
        self._is_sealed = False

    def seal(self) -> None:
        """Refuse to open another file in these bytes.

        libhdf5 opens the sources of a virtual dataset with the driver of their file, which here returns this image for
        any name: a file that names itself as its source would cause an endless loop.
        """
        self._is_sealed = True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to an offset from the start or from the end."""
        self._place = offset + (len(self._content) if whence == os.SEEK_END else 0)
        return self._place

    def tell(self) -> int:
        """Return the offset."""
        return self._place

    def readinto(self, buffer: memoryview) -> int:
        """Fill the whole buffer, with zeros beyond the end: h5py ignores the number of bytes read."""
        data = bytes(self._content[self._place : self._place + len(buffer)])
        if self._is_sealed and data.startswith(_SIGNATURE):
            data = b""
        buffer[:] = data.ljust(len(buffer), b"\0")
        return len(buffer)
