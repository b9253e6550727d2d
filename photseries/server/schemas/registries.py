"""The request bodies that create and change registry entries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate

from photseries.errors import InvalidError
from photseries.fields import DECLINATION, RIGHT_ASCENSION, Interval
from photseries.fields.values import MAX_INTEGER
from photseries.server.principal import PERMISSIONS
from photseries.server.schemas.fields import IdField, Ids, Number, Text
from photseries.text import first_names

__all__ = ["CHANGES", "CREATIONS", "load_entry"]


#: Automatic ids continue after the largest chosen id, so this maximum leaves room for them.
MAX_CHOSEN_ID = 2_000_000_000

#: Maximum number of items of a list in an entry, and of problems in a message.
MAX_ITEMS, MAX_PROBLEMS = 1000, 10

#: Names are one line, whose characters users see in their order. JSON Schema has no ``\\Z``.
_LEGIBLE = validate.Regexp(
    r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*(?![\s\S])",
    error="Must not contain control characters, line separators or bidirectional overrides.",
)
_FEW = validate.Length(max=MAX_ITEMS)
_CHOSEN = validate.Range(max=MAX_CHOSEN_ID, error=f"Must be at most {MAX_CHOSEN_ID}.")


def _require_valid_ids(numbers: Iterable[int]) -> None:
    """Refuse numbers that cannot be user ids."""
    for number in numbers:
        if not 0 < number <= MAX_INTEGER:
            raise ValidationError(f"Invalid user ID: {number}")


def _require_future(moment: datetime) -> None:
    """Refuse an expired token, and an expiry beyond the year 9999, which could be stored but not read."""
    if moment <= datetime.now(UTC):
        raise ValidationError("Must be in the future.")
    try:
        moment.astimezone(UTC)
    except OverflowError:
        raise ValidationError("Must be before the year 10000 in UTC.") from None


class _Numbered(Schema):
    id = IdField(validate=_CHOSEN)


class UserSchema(_Numbered):
    """A user; ``single_user_group_id`` is for imports that keep the ids of another archive."""

    username = Text(required=True, validate=_LEGIBLE)
    single_user_group_id = IdField(validate=_CHOSEN)


class GroupSchema(_Numbered):
    """Users who share series."""

    name = Text(required=True, validate=_LEGIBLE)
    user_ids = Ids(kind="user", lone=False, validate=_require_valid_ids)


class StreamSchema(GroupSchema):
    """A data stream and its members."""


class SourceSchema(Schema):
    """An object on the sky: its name as ``id``; ``group_ids`` is accepted for SkyPortal's clients."""

    id = Text(required=True, validate=_LEGIBLE)
    ra = Number(RIGHT_ASCENSION, required=True)
    dec = Number(DECLINATION, required=True)
    group_ids = Ids(kind="group", lone=True)


class _LocatedEntry(Schema):
    longitude = Number(Interval("Must be in [-180, 360] deg.", -180, 360), allow_none=True)
    latitude = Number(Interval("Must be in [-90, 90] deg.", -90, 90), allow_none=True)
    height = Number(Interval("Must be in [-1000, 100000] m.", -1000, 100_000), allow_none=True)


class InstrumentSchema(_Numbered, _LocatedEntry):
    """An instrument and its location: longitude [deg, to the east], latitude [deg], height [m]."""

    name = Text(required=True, validate=_LEGIBLE)
    telescope = Text(allow_none=True, validate=_LEGIBLE)
    filters = fields.List(Text(validate=_LEGIBLE), allow_none=True, validate=_FEW)


class RequestSchema(_Numbered):
    """A followup request or an assignment."""

    obj_id = Text(allow_none=True)


class TokenSchema(_Numbered):
    """A token of a user; without ``user_id`` of the caller, with at most the permissions of the caller's token."""

    user_id = IdField()
    permissions = fields.List(Text(validate=validate.OneOf(tuple(PERMISSIONS))), load_default=list, validate=_FEW)
    name = Text(allow_none=True, validate=_LEGIBLE)
    expires_at = fields.AwareDateTime(format="iso", default_timezone=UTC, allow_none=True, validate=_require_future)

    @post_load
    def _convert_to_utc(self, values: dict[str, Any], **_: object) -> dict[str, Any]:
        """Convert the expiry to UTC, because PostgreSQL refuses offsets of 16 hours and more."""
        return {**values, "expires_at": values["expires_at"].astimezone(UTC)} if "expires_at" in values else values


class MembersSchema(Schema):
    """A change of a group or a stream: name, members."""

    name = Text(validate=_LEGIBLE)
    user_ids = Ids(kind="user", lone=False, validate=_require_valid_ids)
    add_user_ids = Ids(kind="user", lone=False, validate=_require_valid_ids)
    remove_user_ids = Ids(kind="user", lone=False, validate=_require_valid_ids)


class UserChangeSchema(Schema):
    """A change of a user: deactivation, which revokes the user's tokens, or reactivation."""

    active = fields.Boolean(required=True, truthy={True}, falsy={False})


class InstrumentChangeSchema(_LocatedEntry):
    """A change of an instrument: name, location."""

    name = Text(validate=_LEGIBLE)


#: Kind of entry, as in the path -> schema of its creation.
CREATIONS: Mapping[str, Schema] = {
    "users": UserSchema(),
    "groups": GroupSchema(),
    "streams": StreamSchema(),
    "sources": SourceSchema(),
    "instrument": InstrumentSchema(),
    "followup_request": RequestSchema(),
    "assignment": RequestSchema(),
    "tokens": TokenSchema(),
}

#: Kind of entry -> schema of its changes.
CHANGES: Mapping[str, Schema] = {
    "users": UserChangeSchema(),
    "groups": MembersSchema(),
    "streams": MembersSchema(),
    "instrument": InstrumentChangeSchema(),
}


def load_entry(schema: Schema, body: Mapping[str, object]) -> dict[str, Any]:
    """Validate the body that creates or changes an entry; null means not given.

    Raises
    ------
    InvalidError
        With all problems at once.
    """
    non_null = {key: value for key, value in body.items() if value is not None}
    if long := first_names(
        [key for key, value in non_null.items() if isinstance(value, list) and len(value) > MAX_ITEMS]
    ):
        message = f"At most {MAX_ITEMS:,} items are accepted in {', '.join(long)}."
        raise InvalidError(message, fields={name: [message] for name in long})
    try:
        return dict(schema.load(non_null))
    except ValidationError as error:
        errors: dict[str, object] = error.normalized_messages()  # type: ignore[no-untyped-call]
        problems = {name[:60]: _flat(errors[name])[:MAX_PROBLEMS] for name in list(errors)[:MAX_PROBLEMS]}
        message = " ".join(f"{name}: {' '.join(texts)}" for name, texts in problems.items())
        more = f" The first {MAX_PROBLEMS} of {len(errors):,} problems." if len(errors) > MAX_PROBLEMS else ""
        raise InvalidError(message + more, fields=problems) from None


def _flat(texts: Any) -> list[str]:
    """Return the messages of a field, those of a list's items included."""
    return [text for part in texts.values() for text in _flat(part)] if isinstance(texts, dict) else list(texts)
