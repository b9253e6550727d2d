"""Landlock with no permissions: the process can open no file or socket and signal no other process.

https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import ctypes
import os
from typing import Final

__all__ = ["give_up_everything"]

# The same numbers on every architecture.
_CREATE_RULESET: Final = 444
_RESTRICT_SELF: Final = 446
_VERSION: Final = 1  # flag of the first call: return the version of the interface

#: Version of the interface -> number of supported low bits of ``handled_access_fs``.
_FILE_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_NETWORK_SINCE: Final = 4  # bind and connect by TCP
_SCOPES_SINCE: Final = 6  # abstract sockets, signals to others
_BOTH: Final = 0b11


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


def give_up_everything() -> None:
    """Deny every right that this kernel supports; needs no_new_privs.

    Raises
    ------
    OSError
        When the kernel does not support Landlock.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = _check_result(libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION))
    bits = _FILE_RIGHTS.get(version, max(_FILE_RIGHTS.values()))
    rules = _Ruleset(
        (1 << bits) - 1, _BOTH if version >= _NETWORK_SINCE else 0, _BOTH if version >= _SCOPES_SINCE else 0
    )
    # An older kernel accepts the longer structure if the unknown members are zero.
    ruleset = _check_result(
        libc.syscall(_CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(ctypes.sizeof(rules)), 0)
    )
    try:
        _check_result(libc.syscall(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _check_result(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), "landlock")
    return result
