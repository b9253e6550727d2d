"""The bodies that restore a series."""

from __future__ import annotations

from marshmallow import RAISE, Schema

from photseries.server.schemas.fields import Whole

__all__ = ["RESTORE"]


class _RestoreSchema(Schema):
    class Meta:
        """Other keys are refused."""

        unknown = RAISE

    revision = Whole()


RESTORE = _RestoreSchema()
