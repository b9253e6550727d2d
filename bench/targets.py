"""What issue and peer say: SkyPortal's CPU per request [ms], and what ours may take at most.

SkyPortal was measured on another day: 8bd346c0 (v1.4.0), one process, one client, the same three series.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["MOST", "PEER", "Most"]


class Most(NamedTuple):
    """Of the CPU of a request [ms], and of its ratio to the floor's."""

    cpu: float
    floor: float


PEER = {
    operation: dict(zip("abc", cpu, strict=True))
    for operation, cpu in {
        "POST json": (41, 187, 287),
        "POST hdf5": (51, 82, 130),
        "GET none": (30, 52, 61),
        "GET hdf5": (35, 62, 86),
        "GET json": (31, 311, 520),
        "list of 100": (1065, 2733, 4360),
        "list of 500": (5307, 14455, None),
    }.items()
}

#: For series b.
MOST = {
    "POST hdf5": Most(18, 1.8),
    "POST json": Most(30, 2),
    "GET none": Most(1.3, 3),
    "GET hdf5": Most(4, 2),
    "GET json": Most(25, 1.5),
    "list of 100": Most(7, 2),
    "list of 500": Most(25, 2),
}

REST = 150.0  # [MiB] resident, of each process
UPLOAD = 6.0  # memory beyond that at rest, in lengths of the body
ANSWER = 3.0  # [s] from the start to the first answer
SMALL_P95 = 500.0  # [ms] of a small request beside 8 heavy ones of another user
