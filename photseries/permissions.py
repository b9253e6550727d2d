"""The names of the permissions that a token can carry; the server knows what each allows."""

from __future__ import annotations

from typing import Final

__all__ = ["ADMIN", "MANAGE", "UPLOAD"]

UPLOAD: Final = "Upload data"
MANAGE: Final = "Manage photometry"
ADMIN: Final = "System admin"
