"""The request bodies that restore a series or undo a batch."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from photseries.server.schemas.fields import IdField, Text

__all__ = ["RESTORE", "UNDO"]


class _RestoreSchema(Schema):
    revision = IdField()


class _UndoSchema(Schema):
    batch = Text(required=True)
    dryRun = fields.Boolean(truthy={True}, falsy={False})  # noqa: N815  as in the API
    after = fields.Integer(strict=True, validate=validate.Range(min=0))


RESTORE, UNDO = _RestoreSchema(), _UndoSchema()
