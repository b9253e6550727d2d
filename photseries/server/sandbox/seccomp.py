"""The system calls allowed to a reading child; any other call kills it.

A filter of classic BPF, which the kernel runs on the number and the arguments of every call:
https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["restrict"]

_PR_SET_SECCOMP: Final = 22
_MODE_FILTER: Final = 2
_KILL: Final = 0x8000_0000  # the whole process, with SIGSYS
_ALLOW: Final = 0x7FFF_0000
_REFUSE: Final = 0x0005_0000 | errno.EACCES  # the call fails
_PROT_EXEC: Final = 4

# Operations of classic BPF (linux/bpf_common.h), and offsets in its input (linux/seccomp.h).
_LOAD: Final = 0x20
_IF_EQUAL: Final = 0x15
_IF_ANY_BIT: Final = 0x45
_RETURN: Final = 0x06
_NUMBER: Final = 0
_ARCHITECTURE: Final = 4
_THIRD_ARGUMENT: Final = 32  # its low half, because both machines are little-endian


@dataclass(frozen=True)
class _Architecture:
    audit: int  # AUDIT_ARCH_...
    allowed: Mapping[str, int]
    mapping: Mapping[str, int]  # allowed without PROT_EXEC
    refused: Mapping[str, int]  # optional for packages: searching files, inspecting the machine
    signals: int  # rt_sigaction


#: Calls that read the size of an upload, which is already mapped, write the answer, allocate memory, query time, random
#: numbers and (libhdf5) the current folder, and exit.
_MACHINES: Final[Mapping[str, _Architecture]] = {
    "x86_64": _Architecture(
        0xC000_003E,
        {
            "read": 0,
            "write": 1,
            "munmap": 11,
            "brk": 12,
            "rt_sigprocmask": 14,
            "rt_sigreturn": 15,
            "mremap": 25,
            "madvise": 28,
            "getpid": 39,
            "getcwd": 79,
            "getppid": 110,
            "futex": 202,
            "clock_gettime": 228,
            "exit_group": 231,
            "getrandom": 318,
        },
        {"mmap": 9, "mprotect": 10},
        {
            "open": 2,
            "close": 3,
            "stat": 4,
            "fstat": 5,
            "lstat": 6,
            "lseek": 8,
            "ioctl": 16,
            "access": 21,
            "sched_yield": 24,
            "uname": 63,
            "fcntl": 72,
            "readlink": 89,
            "sysinfo": 99,
            "getuid": 102,
            "getgid": 104,
            "geteuid": 107,
            "getegid": 108,
            "gettid": 186,
            "sched_getaffinity": 204,
            "getdents64": 217,
            "openat": 257,
            "newfstatat": 262,
            "readlinkat": 267,
            "faccessat": 269,
            "statx": 332,
            "openat2": 437,
            "faccessat2": 439,
        },
        13,
    ),
    "aarch64": _Architecture(
        0xC000_00B7,
        {
            "getcwd": 17,
            "read": 63,
            "write": 64,
            "exit_group": 94,
            "futex": 98,
            "clock_gettime": 113,
            "rt_sigprocmask": 135,
            "rt_sigreturn": 139,
            "getpid": 172,
            "getppid": 173,
            "brk": 214,
            "munmap": 215,
            "mremap": 216,
            "madvise": 233,
            "getrandom": 278,
        },
        {"mmap": 222, "mprotect": 226},
        {
            "fcntl": 25,
            "ioctl": 29,
            "faccessat": 48,
            "openat": 56,
            "close": 57,
            "getdents64": 61,
            "lseek": 62,
            "readlinkat": 78,
            "newfstatat": 79,
            "fstat": 80,
            "sched_getaffinity": 123,
            "sched_yield": 124,
            "uname": 160,
            "getuid": 174,
            "geteuid": 175,
            "getgid": 176,
            "getegid": 177,
            "gettid": 178,
            "sysinfo": 179,
            "statx": 291,
            "openat2": 437,
            "faccessat2": 439,
        },
        134,
    ),
}


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("if_true", ctypes.c_uint8),
        ("if_false", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("filter", ctypes.POINTER(_Instruction)))


def restrict(*, is_parser: bool) -> None:
    """Install the filter in this process; needs no_new_privs.

    Parameters
    ----------
    is_parser : bool
        Whether the process is the reader of all formats. Its packages needlessly search files and inspect the machine:
        these calls fail then instead of killing the process, and signal handlers may be set.

    Raises
    ------
    OSError
        When the kernel does not support filters, or the architecture is unknown.
    """
    machine = _MACHINES.get(os.uname().machine)
    if machine is None or ctypes.sizeof(ctypes.c_void_p) != 8:
        raise OSError("no list of system calls for this machine")
    steps = _filter(machine, is_parser=is_parser)
    program = _Program(len(steps), (_Instruction * len(steps))(*steps))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


def _filter(machine: _Architecture, *, is_parser: bool) -> list[_Instruction]:
    """Return the program; each test falls through to the next, and the last instruction kills."""
    verdicts = dict.fromkeys(machine.allowed.values(), _ALLOW)
    if is_parser:
        verdicts |= dict.fromkeys(machine.refused.values(), _REFUSE) | {machine.signals: _ALLOW}
    steps = [
        _Instruction(_LOAD, 0, 0, _ARCHITECTURE),
        _Instruction(_IF_EQUAL, 1, 0, machine.audit),
        _Instruction(_RETURN, 0, 0, _KILL),
        _Instruction(_LOAD, 0, 0, _NUMBER),
    ]
    for number, verdict in verdicts.items():
        steps += [_Instruction(_IF_EQUAL, 0, 1, number), _Instruction(_RETURN, 0, 0, verdict)]
    for number in machine.mapping.values():
        steps += [
            _Instruction(_IF_EQUAL, 0, 4, number),
            _Instruction(_LOAD, 0, 0, _THIRD_ARGUMENT),
            _Instruction(_IF_ANY_BIT, 1, 0, _PROT_EXEC),
            _Instruction(_RETURN, 0, 0, _ALLOW),
            _Instruction(_RETURN, 0, 0, _KILL),
        ]
    return [*steps, _Instruction(_RETURN, 0, 0, _KILL)]
