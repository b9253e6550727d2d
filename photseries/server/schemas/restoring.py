"""The request bodies that restore a series or undo a batch."""

from __future__ import annotations

from marshmallow import RAISE, Schema, fields

from photseries.server.schemas.fields import IdField, Text

__all__ = ["RESTORE", "UNDO"]


class _Strict(Schema):
    class Meta:
        """Refuses unknown keys."""

        unknown = RAISE


class _RestoreSchema(_Strict):
    revision = IdField()


class _UndoSchema(_Strict):
    batch = Text(required=True)
    dryRun = fields.Boolean()  # noqa: N815  as in the interface
    after = fields.Integer(strict=True)


RESTORE, UNDO = _RestoreSchema(), _UndoSchema()
