"""The request body that stores a period."""

from __future__ import annotations

from marshmallow import Schema, fields

from photseries.fields import POSITIVE
from photseries.server.schemas.fields import Number, Text

__all__ = ["PERIOD"]


class _PeriodSchema(Schema):
    period = Number(POSITIVE, required=True)
    method = Text(required=True)
    preferred = fields.Boolean(load_default=False, truthy={True}, falsy={False})


PERIOD = _PeriodSchema()
