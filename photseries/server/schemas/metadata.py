"""The marshmallow schema of series metadata, built from the table of fields, for bodies and files.

Some messages repeat SkyPortal's wording, which its clients match.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from photseries.errors import InvalidError
from photseries.fields import FIELDS, SETTABLE, SHARING, Field
from photseries.fields.values import MAX_DEPTH, MAX_IDS, MAX_UNIT_LENGTH, cast
from photseries.lightcurve.units import flux_unit_of
from photseries.server.schemas.fields import ID_SHAPE, NAME_SHAPE, TEXT_SHAPE, ids_shape, number_shape
from photseries.text import closest_names, first_names, suggestion

__all__ = ["MetadataSchema", "load_metadata"]

#: Fields that null resets to their default.
_CLEARED = tuple(name for name in SETTABLE if FIELDS[name].default is not None or name in SHARING)

_MISSING_ALONE = {"obj_id": "Must supply an obj_id", "instrument_id": "Must supply an instrument_id"}


class _TableField(fields.Field[object]):
    """A field of the table, with its cast and checks."""

    def __init__(self, declared: Field) -> None:
        super().__init__(required=declared.required, metadata={"description": declared.sentence})
        self.declared = declared
        self.allowed = declared.values
        self.depth = MAX_DEPTH

    def _deserialize(self, value: object, attr: object, data: object, **kwargs: object) -> object:
        try:
            loaded = cast(self.declared, value, self.depth)
            if self.declared.type == "unit":
                loaded = flux_unit_of(loaded).name
        except ValueError as error:
            raise ValidationError(str(error)) from None
        is_filter = self.name == "filter"
        if (self.allowed or is_filter) and loaded not in self.allowed:
            title = f"{self.declared.name.replace('_', ' ').capitalize()} {loaded[:60]} is not allowed."
            if is_filter:
                close = ", ".join(closest_names(loaded, self.allowed, 5))
                more = ", ... (GET /api/enum_types)" if len(self.allowed) > 5 else ""
                raise ValidationError(f"{title} Allowed filters are: {close}{more}")
            raise ValidationError(f"{title} Allowed values are: {', '.join(self.allowed)}")
        return loaded


_TableSchema: Any = Schema.from_dict({name: _TableField(FIELDS[name]) for name in SETTABLE}, name="_TableSchema")


class MetadataSchema(_TableSchema):  # type: ignore[misc]  # made by marshmallow from the table
    """The metadata that an archive accepts: the table of fields with the additions of the configuration.

    Parameters
    ----------
    filters : sequence of str
        The allowed filters.
    depth : int
        The deepest nesting of altdata.
    """

    class Meta:
        """Unknown keys are reported by :func:`load_metadata`, in SkyPortal's words."""

        unknown = EXCLUDE

    def __init__(self, filters: Sequence[str], depth: int) -> None:
        super().__init__()
        self.fields["filter"].allowed = tuple(filters)
        self.fields["altdata"].depth = depth

    def json_schema(self) -> dict[str, dict[str, object]]:
        """Return the JSON schema of each field."""
        return {name: _json_schema(FIELDS[name]) for name in SETTABLE}


def load_metadata(
    schema: MetadataSchema, values: Mapping[str, object], *, partial: bool = False
) -> tuple[dict[str, object], InvalidError | None]:
    """Validate merged metadata.

    Parameters
    ----------
    schema : MetadataSchema
    values : mapping
        The merged values; None in an optional field clears it.
    partial : bool
        Whether required fields may be missing, because the metadata are incomplete.

    Returns
    -------
    loaded, refusal : dict, InvalidError or None
        The valid cast values, in the order of the table; and all problems of the others.
    """
    problems, sentences = _key_problems(values, partial=partial)
    non_null = {name: values[name] for name in SETTABLE if values.get(name) is not None}
    try:
        cast_values = schema.load(non_null, partial=True)
    except ValidationError as error:
        cast_values = error.valid_data
        for name, (text, *_) in error.normalized_messages().items():  # type: ignore[no-untyped-call]
            problems[name] = [text]
            sentences.append(text if name in text else f"{name}: {text}")
    cleared: dict[str, object] = {
        name: [] if name in SHARING else FIELDS[name].default
        for name in SETTABLE
        if name not in non_null and (name in values or name in _CLEARED)
    }
    absent = {name for name in cleared if FIELDS[name].required or (name in SHARING and name not in values)}
    loaded = {
        name: cast_values[name] if name in cast_values else cleared[name]
        for name in SETTABLE
        if name in cast_values or (name in cleared and name not in absent)
    }
    message = " ".join(text if text.endswith("?") else f"{text.rstrip('.')}." for text in sentences)
    return loaded, InvalidError(message, fields=problems) if problems else None


def _key_problems(values: Mapping[str, object], *, partial: bool) -> tuple[dict[str, list[str]], list[str]]:
    """Return the problems of unknown and missing keys by key, and as sentences."""
    problems: dict[str, list[str]] = {}
    sentences: list[str] = []
    unknown = [key for key in values if key not in SETTABLE]
    if unknown:
        named = first_names(unknown)
        number = f", the first {len(named)} of {len(unknown):,}" if len(unknown) > len(named) else ""
        closest = {key: suggestion(key, SETTABLE) for key in named}
        sentences.append(f"Unknown keys in metadata: {named}{number}.{next(filter(None, closest.values()), '')}")
        problems.update({key: [f"Unknown key in metadata.{closest[key]}"] for key in named})
    missing = [name for name in SETTABLE if FIELDS[name].required and values.get(name) is None]
    for name in () if partial else missing:
        problems[name] = [_MISSING_ALONE.get(name, f"Missing: {name}.")]
    sentences += [sentence for name, sentence in _MISSING_ALONE.items() if name in problems]
    if other_missing := [name for name in missing if name not in _MISSING_ALONE and name in problems]:
        sentences.append(f"The following keys are missing: {other_missing}")
    return problems, sentences


def _json_schema(field: Field) -> dict[str, object]:
    schema = _shape(field)
    if not field.required and field.name not in SHARING:
        schema |= {"type": [schema["type"], "null"]}
    if field.values:
        schema["enum"] = [*field.values, None]
    if field.default is not None:
        schema["default"] = field.default
    return {**schema, "description": field.sentence}


def _shape(field: Field) -> dict[str, object]:
    match field.type:
        case "text" | "unit":
            return dict(TEXT_SHAPE)
        case "name" | "path":
            return dict(NAME_SHAPE)
        case "number":
            return dict(number_shape(field.interval))
        case "id":
            return dict(ID_SHAPE)
        case "ids":
            return dict(ids_shape(lone=field.refers_to == "groups"))
        case "values":
            shape = {"type": "array", "items": {"type": ["integer", "string", "boolean"]}, "maxItems": MAX_IDS}
        case "units":
            text = {"type": "string", "minLength": 1, "maxLength": MAX_UNIT_LENGTH}
            shape = {"type": "object", "additionalProperties": text}
        case _:
            shape = {"type": "object"}
    return shape
