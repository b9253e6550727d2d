"""Configure the C library's allocator to return memory after peaks."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

__all__ = ["return_freed_memory"]

# Parameters of glibc's mallopt, from malloc.h.
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8

#: Blocks of at least this size have their own mapping, which is unmapped on free [bytes].
_LARGE: Final = 1024 * 1024
#: The free memory that each heap may keep at its end, so that the next upload does not map its pages anew [bytes].
_KEPT: Final = 32 * 1024 * 1024
_ARENAS: Final = 4


def return_freed_memory() -> bool:
    """Make glibc map large blocks separately, and use few arenas; return False with another C library.

    By default glibc raises the threshold to 32 MiB when such a block is freed. Tables then come from the heaps of some
    twenty threads, and each heap keeps the size of its largest request: 1.3 GiB after ten minutes of mixed requests
    instead of 0.8.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = {_M_MMAP_THRESHOLD: _LARGE, _M_TRIM_THRESHOLD: _KEPT, _M_ARENA_MAX: _ARENAS}
    refused = [parameter for parameter, value in settings.items() if mallopt(parameter, value) != 1]
    return not refused
