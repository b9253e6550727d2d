"""The schemas of request bodies, from marshmallow and the tables of parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from apispec import APISpec
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema

from photseries.fields import FIELDS
from photseries.formats.registry import EXPORTS
from photseries.hdf5.limits import Limits
from photseries.parameters import (
    CONTROLS,
    CRITERIA,
    LISTS,
    MAX_ENTRIES,
    POSITIONS,
    SUMMARY_CRITERIA,
    Parameter,
    asked_parameters,
)
from photseries.parameters.query import MAX_POSITIONS
from photseries.server.accounts import RESOURCES
from photseries.server.http.openapi import examples
from photseries.server.schemas.metadata import MetadataSchema
from photseries.server.schemas.periods import PERIOD
from photseries.server.schemas.registries import CHANGES, CREATIONS
from photseries.server.schemas.restoring import RESTORE, UNDO

__all__ = ["add_bodies", "noun"]

_CONE = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}


def _converter(spec: APISpec) -> Callable[[Schema], dict[str, object]]:
    """Return apispec's reader of marshmallow fields, extended by our field types.

    The shape of a field takes precedence over its validators.
    """
    converter = OpenAPIConverter(spec.openapi_version, schema_name_resolver=lambda _: None, spec=spec)
    converter.attribute_functions.insert(1, lambda field, ret: dict(getattr(field, "shape", {})))
    convert: Callable[[Schema], dict[str, object]] = converter.schema2jsonschema
    return convert


def noun(kind: str) -> str:
    """Return the name that schemas of a kind have: ``followup_request`` is ``FollowupRequest``."""
    return kind.removesuffix("s").title().replace("_", "")


_CHANGES = {"users": {"active": False}, "instrument": {"longitude": 149.0, "latitude": -35.3}}


def add_bodies(spec: APISpec, filters: tuple[str, ...]) -> None:
    """Add the schemas of all request bodies to a document.

    Parameters
    ----------
    spec : APISpec
    filters : tuple of str
        The allowed filters.
    """
    spec.components.schema("Filter", {"type": "string", "enum": list(filters), "description": "The bandpass."})
    convert = _converter(spec)
    for name, schema in _about_series(MetadataSchema(filters, Limits().depth).json_schema()).items():
        spec.components.schema(name, schema)
    spec.components.schema("Restore", {**convert(RESTORE), "example": {"revision": 1}})
    period = {name: examples.PERIOD[name] for name in ("period", "method", "preferred")}
    spec.components.schema("Period", {**convert(PERIOD), "example": period})
    undo = {"batch": examples.SERIES["batch"], "dryRun": True}
    spec.components.schema("Undo", {**convert(UNDO), "example": undo})
    for kind in RESOURCES:
        created = {**convert(CREATIONS[kind]), "example": examples.NEW_ENTRIES[kind]}
        spec.components.schema(f"New{noun(kind)}", created)
    for kind, changes in CHANGES.items():
        changed = {**convert(changes), "example": _CHANGES.get(kind, {"user_ids": [1]})}
        spec.components.schema(f"Changed{noun(kind)}", changed)


def _about_series(metadata: Mapping[str, object]) -> dict[str, dict[str, object]]:
    fields = {**metadata, "filter": {"$ref": "#/components/schemas/Filter"}}
    required = [name for name, field in FIELDS.items() if field.required]
    closed = {"type": "object", "additionalProperties": False}
    with_data = {"data": {"$ref": "#/components/schemas/Data"}, **fields}
    return {
        "Columns": {
            "type": "object",
            "description": "The columns of a table by name, of equal length, each with numbers, texts or booleans.",
            "additionalProperties": {"type": "array", "items": {"type": ["number", "string", "boolean", "null"]}},
            "example": examples.COLUMNS,
        },
        "Data": {
            "description": "A table: columns, or an HDF5 file as base64.",
            "anyOf": [{"$ref": "#/components/schemas/Columns"}, {"type": "string", "contentEncoding": "base64"}],
        },
        "NewSeries": {
            **closed,
            "description": f"A table and its metadata. {', '.join(required)} are required here or in the "
            "metadata of the file; ra, dec, exp_time and filter may also be columns of the table.",
            "properties": with_data,
            "required": ["data"],
            "example": dict(examples.NEW_SERIES),
        },
        "ChangedSeries": {
            **closed,
            "description": "Absent fields stay unchanged; null clears a field.",
            "properties": with_data,
            "example": {"origin": "pipeline 2", "magref": None},
        },
        "Rows": {
            **closed,
            "description": "Rows with the columns of the existing table.",
            "properties": {name: with_data[name] for name in ("data", "batch")},
            "required": ["data"],
            "example": {"data": {"mjd": [61000.4], "flux": [220.0], "fluxerr": [20.0]}},
        },
        "Query": {**closed, **_query()},
        "Export": {**closed, **_export()},
    }


def _query() -> dict[str, object]:
    parameters = _members((*CRITERIA, *CONTROLS))
    positions = {
        "type": "array",
        "items": _CONE,
        "minItems": 1,
        "maxItems": MAX_POSITIONS,
        "description": "Centres [ra, dec] [deg, ICRS]; require radius, and exclude ra and dec.",
    }
    return {
        "description": "The search parameters, and positions.",
        "properties": {**parameters, "positions": positions},
        "example": {"filter": ["bessellr", "bessellb"], "radius": 0.01, "positions": [[75.4317, -69.171]]},
    }


def _export() -> dict[str, object]:
    members = _members((*SUMMARY_CRITERIA, *asked_parameters(tuple(EXPORTS))))
    size = {"type": "array", "minItems": 1, "maxItems": MAX_ENTRIES}
    lists: dict[str, object] = {
        name: {**size, "items": parameter.schema, "description": f"Series whose {parameter.field} is one of these."}
        for name, parameter in LISTS.items()
    }
    around = "Series around these centres [ra, dec] [deg, ICRS]; give radius, but not ra and dec."
    lists[POSITIONS] = {**size, "items": _CONE, "description": around}
    return {
        "description": "A list, criteria, the format, and the columns and rows of each series.",
        "properties": {**lists, **members},
        "oneOf": [{"required": [name]} for name in lists],
        "example": {"obj_ids": ["MACHO 1.3444.614"], "format": "ndjson", "columns": ["mjd", "flux"]},
    }


def _members(parameters: Iterable[Parameter]) -> dict[str, object]:
    return {parameter.name: {**parameter.kind.schema, "description": parameter.sentence} for parameter in parameters}
