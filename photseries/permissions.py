"""The names of the permissions of tokens; the server defines what each allows."""

from __future__ import annotations

from typing import Final

__all__ = ["ADMIN", "MANAGE", "UPLOAD"]

UPLOAD: Final = "Upload data"
MANAGE: Final = "Manage photometry"
ADMIN: Final = "System admin"
