"""What the disk is told."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["synchronize"]


def synchronize(path: Path) -> None:
    """Make a file, or the names in a folder, durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
