"""Check the metadata of a series, from request bodies and from files alike, by the table of fields.

The wording of some messages is SkyPortal's, because its clients look for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from photseries.errors import InvalidError
from photseries.fields import FIELDS, SETTABLE, SHARING, Field
from photseries.fields.values import cast
from photseries.server.schemas.fields import ID_SHAPE, NAME_SHAPE, TEXT_SHAPE, ids_shape, number_shape

__all__ = ["MetadataSchema", "load_metadata"]

#: Fields that null sets back to their default.
_CLEARED = tuple(name for name in SETTABLE if FIELDS[name].default is not None or name in SHARING)

_MISSING_ALONE = {"obj_id": "Must supply an obj_id", "instrument_id": "Must supply an instrument_id"}


@dataclass(frozen=True)
class MetadataSchema:
    """The metadata that an archive accepts: the table of fields, with what the configuration adds.

    Parameters
    ----------
    filters : tuple of str
        The allowed filters.
    depth : int
        The deepest nesting of altdata.
    """

    filters: tuple[str, ...]
    depth: int

    def load(self, name: str, value: Any) -> Any:
        """Cast and check the value of a field.

        Raises
        ------
        ValueError
            With a sentence about the field.
        """
        field = FIELDS[name]
        loaded = cast(field, value, self.depth)
        allowed = self.filters if name == "filter" else field.values
        if (allowed or name == "filter") and loaded not in allowed:
            title, called = name.replace("_", " ").capitalize(), "filters" if name == "filter" else "values"
            raise ValueError(f"{title} {loaded[:60]} is not allowed. Allowed {called} are: {', '.join(allowed)}")
        return loaded

    def json_schema(self) -> dict[str, dict[str, Any]]:
        """Return the JSON schema of each field."""
        return {name: _json_schema(FIELDS[name]) for name in SETTABLE}


def load_metadata(
    schema: MetadataSchema, values: Mapping[str, Any], *, partial: bool = False
) -> tuple[dict[str, Any], InvalidError | None]:
    """Validate merged metadata.

    Parameters
    ----------
    schema : MetadataSchema
    values : mapping
        The merged values; None in an optional field clears it.
    partial : bool
        Whether required fields may be missing, because not everything is known yet.

    Returns
    -------
    loaded, refusal : dict, InvalidError or None
        The cast values that are valid, in the order of the table; and all that is wrong with the others.
    """
    problems: dict[str, list[str]] = {}
    sentences: list[str] = []
    unknown = [key for key in values if key not in SETTABLE]
    if unknown:
        sentences.append(f"Unknown keys in metadata: {[key[:60] for key in unknown]}")
        problems.update({key[:60]: ["Unknown key in metadata."] for key in unknown})

    missing = [name for name in SETTABLE if FIELDS[name].required and values.get(name) is None]
    for name in () if partial else missing:
        problems[name] = [_MISSING_ALONE.get(name, f"Missing: {name}.")]
    sentences += [sentence for name, sentence in _MISSING_ALONE.items() if name in problems]
    if rest := [name for name in missing if name not in _MISSING_ALONE and name in problems]:
        sentences.append(f"The following keys are missing: {rest}")

    loaded: dict[str, Any] = {}
    for name in (name for name in SETTABLE if name not in missing):
        if values.get(name) is not None:
            try:
                loaded[name] = schema.load(name, values[name])
            except ValueError as error:
                text = str(error)
                problems[name] = [text]
                sentences.append(text if name in text else f"{name}: {text}")
        elif name in SHARING:
            loaded |= {name: []} if name in values else {}
        elif name in _CLEARED:
            loaded[name] = FIELDS[name].default
        elif name in values:
            loaded[name] = None
    message = _joined(sentences)
    return loaded, InvalidError(message, fields=problems) if problems else None


def _joined(sentences: Sequence[str]) -> str:
    return ". ".join(text.rstrip(".") for text in sentences) + "."


def _json_schema(field: Field) -> dict[str, Any]:
    schema = _shape(field)
    if not field.required and field.name not in SHARING:
        schema |= {"type": [schema["type"], "null"]}
    if field.values:
        schema["enum"] = [*field.values, None]
    if field.default is not None:
        schema["default"] = field.default
    return {**schema, "description": field.sentence}


def _shape(field: Field) -> dict[str, Any]:
    match field.type:
        case "text":
            return dict(TEXT_SHAPE)
        case "name" | "path":
            return dict(NAME_SHAPE)
        case "number":
            return dict(number_shape(field.interval))
        case "id":
            return dict(ID_SHAPE)
        case "ids":
            return dict(ids_shape(lone=field.refers_to == "groups"))
        case _:
            return {"type": "object"}
