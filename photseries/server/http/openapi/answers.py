"""The schemas of ``data`` in successful answers, each with an example."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime

from apispec import APISpec

from photseries.fields import COMPUTED, ENUMERATIONS, FIELDS, IN_FILE, LISTED, METADATA, Field
from photseries.formats.description import Description
from photseries.lightcurve.calibration import AB_MICROJANSKY, BrightnessDescription
from photseries.lightcurve.curve import MEASUREMENTS
from photseries.lightcurve.envelope import POINT_KINDS
from photseries.lightcurve.peaks import Peak
from photseries.server.accounts import RESOURCES
from photseries.server.archive.analysis import FoldedLightCurve, Periodogram, PlottedLightCurve, SourcePeriodogram
from photseries.server.archive.archive import Created
from photseries.server.archive.batches import OUTCOMES
from photseries.server.archive.intake import LAYERS
from photseries.server.catalogue.column_types import ColumnType, audit_columns, entry_columns
from photseries.server.catalogue.history import ACTIONS, FOR_READERS
from photseries.server.catalogue.periods import Period
from photseries.server.catalogue.summary import COUNTED
from photseries.server.catalogue.usage import Usage
from photseries.server.http.openapi import examples
from photseries.server.http.openapi.bodies import noun
from photseries.server.http.openapi.shapes import (
    INTEGER,
    NUMBER,
    TEXT,
    Schema,
    array_of,
    mapping,
    members_of,
    nullable,
    record,
    schema_of,
)
from photseries.server.principal import PERMISSIONS
from photseries.server.settings.sections import QuotaSettings

__all__ = ["add_answers"]

FLAG = schema_of(bool)
MOMENT = schema_of(datetime)
ANY_OBJECT = schema_of(dict)
WARNINGS = members_of(Created)["warnings"]

#: The name of a schema, the schema, and an example.
Answer = tuple[str, Schema, object]

_LIGHT_CURVE: Schema = {"type": "object", "properties": dict.fromkeys(MEASUREMENTS, array_of(nullable(NUMBER)))}

_ENTRY: Mapping[str, Schema] = {"id": INTEGER, "name": TEXT}

#: The fields that are lists of registry entries.
_ENTRIES: Mapping[str, Schema] = {
    "groups": array_of(record({**_ENTRY, "single_user_group": FLAG})),
    "streams": array_of(record(_ENTRY)),
}

_OF_FIELDS: Mapping[str, Schema] = {
    "text": TEXT,
    "name": TEXT,
    "path": TEXT,
    "unit": TEXT,
    "number": NUMBER,
    "mjd": NUMBER,
    "integer": INTEGER,
    "id": INTEGER,
    "boolean": FLAG,
    "moment": MOMENT,
    "object": ANY_OBJECT,
    "units": mapping(TEXT),
    "values": array_of({"type": ["integer", "string", "boolean"]}),
    "per column": mapping(nullable(NUMBER)),
    "ids": array_of(INTEGER),
}


def ref(name: str) -> Schema:
    """Refer to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def add_answers(spec: APISpec) -> None:
    """Add the schemas of all answers to a document."""
    fields = {name: _field_schema(field) for name, field in FIELDS.items()}
    for name, schema, example in (
        *_about_series(fields),
        *_about_uploads(fields),
        *_about_analyses(),
        *_about_registries(),
        *_about_the_service(),
    ):
        spec.components.schema(name, {**schema, "example": example})


def _field_schema(field: Field) -> Schema:
    base = _ENTRIES[field.name] if field.type == "entries" else _OF_FIELDS[field.type]
    schema = {**base, "description": field.sentence}
    return nullable(schema) if field.nullable else schema


def _column_schema(column: ColumnType) -> Schema:
    schema = array_of(schema_of(column.items)) if column.items else schema_of(column.kind)
    return nullable(schema) if column.nullable else schema


def _about_series(fields: Mapping[str, Schema]) -> Iterator[Answer]:
    described: dict[str, Schema] = {
        "data": {
            "description": "The table; null if it was not requested, or if its file is damaged.",
            "anyOf": [ref("Data"), {"type": "null"}],
        },
        "data_rows": {**INTEGER, "description": "Number of rows of the requested part, before maxPoints."},
        "data_error": {**TEXT, "description": "Why the table is missing in a list."},
    }
    optional = (*(name for name in fields if name not in LISTED), *described)
    yield "Series", record({**fields, **described}, optional), dict(examples.SERIES)
    always = ("id", "revision", "filename", "hash")
    past = {name: fields[name] for name in ("id", "revision", *IN_FILE, "filename", "hash")} | {
        "data": described["data"]
    }
    schema = {
        **record(past, tuple(name for name in past if name not in always)),
        "additionalProperties": False,
        "description": "A series with the file of an earlier revision.",
    }
    yield (
        "PastSeries",
        schema,
        {name: examples.SERIES[name] for name in ("id", "revision", "obj_id", "filename", "hash")},
    )
    around = {"numPerPage": 100, "pageNumber": 1, "cursor": None}
    page = {"series": array_of(ref("Series")), **_page(), "cursor": nullable(TEXT), "warnings": WARNINGS}
    example = {"series": [dict(examples.SERIES)], "totalMatches": 1, **around}
    yield "SeriesPage", record(page, ("totalMatches", "warnings")), example
    yield "Summary", *_summary()
    event = {
        "revision": INTEGER,
        "at": MOMENT,
        "user_id": INTEGER,
        "username": TEXT,
        "action": {"enum": list(ACTIONS)},
        "changed": mapping(record({"from": {}, "to": {}})),
        "hash": nullable(TEXT),
    }
    events = array_of(record(event, tuple(name for name in event if name not in FOR_READERS)))
    yield "History", record({"history": events}), {"history": [dict(examples.EVENT)]}


def _summary() -> tuple[Schema, object]:
    counted = {name: _OF_FIELDS[FIELDS[name].type] for name in COUNTED}
    lists = {
        name: array_of(record({name: kind, "name": TEXT, "series": INTEGER}, ("name",)))
        for name, kind in counted.items()
    }
    span = {"mjd_first": nullable(NUMBER), "mjd_last": nullable(NUMBER)}
    example = {
        "series": 1,
        "sources": 1,
        **{name: examples.SERIES[name] for name in span},
        **{name: [{name: examples.SERIES[name], "series": 1}] for name in counted},
    }
    return record({"series": INTEGER, "sources": INTEGER, **span, **lists}), example


def _about_uploads(fields: Mapping[str, Schema]) -> Iterator[Answer]:
    for name in ("Created", "Changed"):
        yield name, schema_of(Created), asdict(Created(1))
    yield "Restored", record({"id": INTEGER, "revision": INTEGER}), {"id": 1, "revision": 3}
    undone = {
        name: {**array_of(INTEGER), "description": f"Ids: {description}."} for name, description in OUTCOMES.items()
    }
    following = {**nullable(INTEGER), "description": "The value of `after` for the next request; null at the end."}
    example: dict[str, object] = {**{name: [] for name in OUTCOMES}, "deleted": [1], "next": None}
    yield "Undone", record({**undone, "next": following}), example
    brightness, described = AB_MICROJANSKY.describe("flux"), members_of(BrightnessDescription)
    preview = {
        "metadata": {**ANY_OBJECT, "properties": {name: fields[name] for name in METADATA}},
        "sources": mapping({"enum": list(LAYERS)}),
        "columns": mapping(TEXT),
        "statistics": record({name: fields[name] for name in COMPUTED}),
        "content_hash": TEXT,
        "warnings": WARNINGS,
        "exists": nullable(INTEGER),
        **described,
        "light_curve": {**_LIGHT_CURVE, "description": "The light curve, if maxPoints is given."},
    }
    about = "The result of dryRun for a series that would be created."
    example = {
        "metadata": {name: examples.SERIES[name] for name in METADATA if examples.SERIES[name] is not None},
        "sources": dict.fromkeys(("obj_id", "filter"), "body"),
        "columns": dict.fromkeys(examples.COLUMNS, "float64"),
        "statistics": {name: examples.SERIES[name] for name in COMPUTED},
        "content_hash": examples.SERIES["content_hash"],
        "warnings": [],
        "exists": None,
        **brightness,
    }
    yield "Preview", {**record(preview, ("light_curve",)), "description": about}, example
    options = {**ANY_OBJECT, "description": "The read options that select this series."}
    series = {**members_of(Description), "options": options, **described, "light_curve": _LIGHT_CURVE}
    example = {
        **dict.fromkeys(("survey", "filter", "filter_map")),
        **{name: [] for name in ("names", "missing", "warnings")},
        **{name: {} for name in ("filters", "fields", "options")},
        **brightness,
        "columns": [{"role": "mjd", "column": "time", "why": "usual name"}],
        "rows": 2,
        "first": "2023-02-25T12:00:00",
        "last": "2023-02-26T12:00:00",
        "light_curve": {name: examples.COLUMNS.get(name) for name in ("mjd", "flux", "fluxerr")},
    }
    yield "Inspected", record({"series": array_of(record(series)), "more": INTEGER}), {"series": [example], "more": 0}


def _about_analyses() -> Iterator[Answer]:
    brightness = AB_MICROJANSKY.describe("flux")
    search = {
        "min_period": 0.1,
        "max_period": 0.7,
        "num_frequencies": 3,
        "limited": False,
        "warnings": [],
        "peaks": [asdict(Peak(4.0, 0.25, 0.01, 0.6, 0.2, at_edge=False))],
        "frequency": [2.0, 4.0, 8.0],
        "power": [0.1, 0.6, 0.3],
    }
    example: dict[str, object] = {**brightness, "method": "lomb_scargle", "num_points": 8, "weighted": True, **search}
    yield "Periodogram", schema_of(Periodogram), example
    yield "SourcePeriodogram", schema_of(SourcePeriodogram), {"series": [1, 2], "num_points": 16, **search}
    example = {
        **brightness,
        "num_points": 8,
        "weighted": True,
        "period": 0.3,
        "epoch": 61000.1,
        "phase": [0.0],
        "mjd": [61000.1],
        "value": [208.9],
        "error": [20.0],
        "bins": {"phase": [0.25, 0.75], "mean": [210.0, None], "error": [5.0, None], "count": [8, 0]},
    }
    yield "Folded", schema_of(FoldedLightCurve), example
    envelope = {
        "num_points": 1,
        "counts": {name: int(name == "detected") for name in POINT_KINDS},
        "start": 61000.1,
        "step": 0.001,
        "median": 208.9,
        "error": 20.0,
        "robust": [208.9, 208.9],
        "full": [208.9, 208.9],
        "points": {"mjd": [61000.1], "value": [208.9], "error": [20.0], "kind": [0]},
        "columns": [],
    }
    yield "Envelope", schema_of(PlottedLightCurve), {**brightness, "envelope": envelope}
    yield "Periods", record({"periods": array_of(schema_of(Period))}), {"periods": [dict(examples.PERIOD)]}
    yield "RemovedPeriods", record({"deleted": INTEGER}), {"deleted": 1}


def _page() -> dict[str, Schema]:
    return {"totalMatches": INTEGER, "numPerPage": INTEGER, "pageNumber": INTEGER}


def _about_registries() -> Iterator[Answer]:
    also: Mapping[str, dict[str, Schema]] = {
        "users": {"single_user_group_id": INTEGER},
        "tokens": {"token": {**TEXT, "description": "The secret, which cannot be retrieved again."}},
        "sources": {"warnings": WARNINGS},
    }
    shown = {"single_user_group_id": 2, "token": "pUq3xM0aZk..."}
    around = {"totalMatches": 1, "numPerPage": 100, "pageNumber": 1}
    for kind in RESOURCES:
        members = {name: _column_schema(column) for name, column in entry_columns(kind).items()}
        example = examples.entry(kind)
        yield noun(kind), record(members), example
        more = also.get(kind, {})
        created = {"id": example["id"], **{name: shown[name] for name in more if name in shown}}
        yield f"Created{noun(kind)}", record({"id": members["id"], **more}, ("warnings",)), created
        yield f"{noun(kind)}Page", record({kind: array_of(ref(noun(kind))), **_page()}), {kind: [example], **around}
    event = {
        "id": 3, "at": examples.MOMENT, "user_id": 1, "username": "anna", "action": "change", "kind": "groups",
        "entry": "2", "details": {"add_user_ids": [4]},
    }  # fmt: skip
    events = array_of(record({name: _column_schema(column) for name, column in audit_columns().items()}))
    yield "AuditPage", record({"events": events, **_page()}), {"events": [event], **around}


def _about_the_service() -> Iterator[Answer]:
    yield "Alive", record({"alive": {"const": True}}), {"alive": True}
    behind = {**INTEGER, "description": "Number of series that `photseries recompute` has to update."}
    parts = {"sandbox": record({"missing": array_of(TEXT)}), "statistics": record({"behind": behind})}
    example: object = {"ready": True, "sandbox": {"missing": []}, "statistics": {"behind": 0}}
    yield "Ready", record({"ready": {"const": True}, **parts}), example
    who = {"user_id": INTEGER, "username": TEXT, "permissions": array_of({"enum": list(PERMISSIONS)})}
    belongs = dict.fromkeys(("group_ids", "stream_ids"), array_of(INTEGER))
    example = {"user_id": 1, "username": "anna", "permissions": [], "group_ids": [1], "stream_ids": []}
    yield "WhoAmI", record({**who, **belongs}), example
    used = asdict(Usage(owner_id=1, username="anna", series=3, bytes=250_000, kept_bytes=80_000))
    members = {"usage": array_of(schema_of(Usage)), "limits": schema_of(QuotaSettings)}
    yield "Usage", record(members), {"usage": [used], "limits": asdict(QuotaSettings(series=100))}
    listed = {name: list(values) for name, values in ENUMERATIONS.items()} | {"ALLOWED_PERMISSIONS": list(PERMISSIONS)}
    members = {"ALLOWED_BANDPASSES": array_of(ref("Filter")), **dict.fromkeys(listed, array_of(TEXT))}
    yield "EnumTypes", record(members), {"ALLOWED_BANDPASSES": ["bessellr"], **listed}
