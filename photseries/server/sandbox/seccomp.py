"""The system calls that a reading child may still make; any other kills it.

A filter of classic BPF, which the kernel runs on the number and the arguments of every call:
https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["allow_only_reading"]

_PR_SET_SECCOMP: Final = 22
_MODE_FILTER: Final = 2
_KILL: Final = 0x8000_0000  # the whole process, with SIGSYS
_ALLOW: Final = 0x7FFF_0000
_PROT_EXEC: Final = 4

# Operations of classic BPF (linux/bpf_common.h), and places in the data that it sees (linux/seccomp.h).
_LOAD: Final = 0x20
_IF_EQUAL: Final = 0x15
_IF_ANY_BIT: Final = 0x45
_RETURN: Final = 0x06
_NUMBER: Final = 0
_ARCHITECTURE: Final = 4
_THIRD_ARGUMENT: Final = 32  # its low half: both machines are little-endian


@dataclass(frozen=True)
class _Machine:
    audit: int  # AUDIT_ARCH_...
    allowed: Mapping[str, int]
    mapping: Mapping[str, int]  # allowed unless the memory is to be executable


#: The answer is written, memory comes and goes, time, chance and (by libhdf5) the folder are asked for, and the process
#: ends. The upload is mapped already: not even reading is needed.
_MACHINES: Final[Mapping[str, _Machine]] = {
    "x86_64": _Machine(
        0xC000_003E,
        {
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
    ),
    "aarch64": _Machine(
        0xC000_00B7,
        {
            "getcwd": 17,
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


def allow_only_reading() -> None:
    """Put the filter on this process; needs no_new_privs.

    Raises
    ------
    OSError
        When the kernel has no filters, or the machine is none whose system calls are known here.
    """
    machine = _MACHINES.get(os.uname().machine)
    if machine is None or ctypes.sizeof(ctypes.c_void_p) != 8:
        raise OSError("no list of system calls for this machine")
    steps = _filter(machine)
    program = _Program(len(steps), (_Instruction * len(steps))(*steps))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


def _filter(machine: _Machine) -> list[_Instruction]:
    """Write the program; each test falls through to the next, and the last word is to kill."""
    steps = [
        _Instruction(_LOAD, 0, 0, _ARCHITECTURE),
        _Instruction(_IF_EQUAL, 1, 0, machine.audit),
        _Instruction(_RETURN, 0, 0, _KILL),
        _Instruction(_LOAD, 0, 0, _NUMBER),
    ]
    for number in machine.allowed.values():
        steps += [_Instruction(_IF_EQUAL, 0, 1, number), _Instruction(_RETURN, 0, 0, _ALLOW)]
    for number in machine.mapping.values():
        steps += [
            _Instruction(_IF_EQUAL, 0, 4, number),
            _Instruction(_LOAD, 0, 0, _THIRD_ARGUMENT),
            _Instruction(_IF_ANY_BIT, 1, 0, _PROT_EXEC),
            _Instruction(_RETURN, 0, 0, _ALLOW),
            _Instruction(_RETURN, 0, 0, _KILL),
        ]
    return [*steps, _Instruction(_RETURN, 0, 0, _KILL)]
