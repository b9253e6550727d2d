"""The maximum size of a table and a file."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

__all__ = ["Limits"]

MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Limits of a table, in JSON or HDF5, and of the file that contains it.

    Raises
    ------
    ValueError
        When a limit is not positive.
    """

    rows: int = 2_000_000
    columns: int = 1024
    column_name: int = 255  # [bytes]
    table: int = 256 * MIB  # [bytes]
    metadata: int = 64 * 1024  # [bytes]
    depth: int = 32
    keys: int = 50_000
    object_keys: int = 25_000
    texts: int = 10_000_000
    chunk: int = 32 * MIB  # [bytes]
    objects: int = 20_000
    groups_deep: int = 16
    opcodes: int = 500_000
    values: int = 100_000
    text: int = 2_000_000  # [characters]
    bulk: int = 1024 * MIB  # [bytes]
    bulk_fields: int = 128 * MIB  # [bytes]

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if value <= 0:
                raise ValueError(f"limits.{name} must be positive.")
