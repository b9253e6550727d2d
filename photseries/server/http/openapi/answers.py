"""The schemas of ``data`` in successful answers, each with an example."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from apispec import APISpec

from photseries.fields import COMPUTED, ENUMERATIONS, FIELDS, IN_FILE, LISTED, METADATA, Field
from photseries.lightcurve.calibration import AB_MICROJANSKY
from photseries.lightcurve.curve import MEASUREMENTS
from photseries.lightcurve.envelope import POINT_KINDS
from photseries.parameters import PERIODOGRAM
from photseries.server.accounts import RESOURCES
from photseries.server.archive.batches import OUTCOMES
from photseries.server.archive.intake import LAYERS
from photseries.server.catalogue.column_types import ColumnType, entry_columns
from photseries.server.catalogue.history import ACTIONS, FOR_READERS
from photseries.server.catalogue.summary import COUNTED
from photseries.server.http.openapi import examples
from photseries.server.http.openapi.bodies import noun
from photseries.server.principal import PERMISSIONS

__all__ = ["add_answers"]

Schema = Mapping[str, object]

INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
ANY_OBJECT: Schema = {"type": "object"}
WARNINGS: Schema = {"type": "array", "items": TEXT, "description": "Suspicious input, which was accepted."}

_BRIGHTNESS = next(parameter for parameter in PERIODOGRAM if parameter.name == "brightness")

_DESCRIBED: Mapping[str, Schema] = {
    "brightness": dict(_BRIGHTNESS.kind.schema),
    "unit": {**TEXT, "description": "Unit of the brightness: mag, uJy, or flux_unit if that is not a flux density."},
    "magsys": {"enum": [*FIELDS["magsys"].values, None], "description": "Magnitude system."},
    "label": {**TEXT, "description": "Axis label."},
}
_DESCRIBED_EXAMPLE = dict(AB_MICROJANSKY.described("flux"))

_TYPES: Mapping[type, Schema] = {
    int: INTEGER,
    float: NUMBER,
    str: TEXT,
    bool: FLAG,
    datetime: MOMENT,
    object: ANY_OBJECT,
}


_LIGHT_CURVE: Schema = {
    "type": "object",
    "properties": {name: {"type": "array", "items": {"type": ["number", "null"]}} for name in MEASUREMENTS},
}


def ref(name: str) -> Schema:
    """Refer to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def several(items: Schema) -> Schema:
    """Describe a list."""
    return {"type": "array", "items": items}


def mapping(values: Schema) -> Schema:
    """Describe an object whose keys are names of columns or fields."""
    return {"type": "object", "additionalProperties": values}


def nullable(schema: Schema) -> Schema:
    """Let a value be null too."""
    return {**schema, "type": [schema["type"], "null"]}


def record(members: Mapping[str, Schema], example: object, *, optional: tuple[str, ...] = ()) -> Schema:
    """Describe an object."""
    return {
        "type": "object",
        "properties": dict(members),
        "required": [name for name in members if name not in optional],
        "example": example,
    }


_ENTRY: Mapping[str, Schema] = {"id": INTEGER, "name": TEXT}
_GROUP: Mapping[str, Schema] = {**_ENTRY, "single_user_group": FLAG}

#: The fields that are lists of registry entries.
_ENTRIES: Mapping[str, Schema] = {
    "groups": several(record(_GROUP, examples.SERIES["groups"][0])),
    "streams": several(record(_ENTRY, examples.SERIES["streams"][0])),
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
    "units": {"type": "object", "additionalProperties": {"type": "string"}},
    "values": several({"type": ["integer", "string", "boolean"]}),
    "per column": mapping(nullable(NUMBER)),
    "ids": several(INTEGER),
}


def add_answers(spec: APISpec) -> None:
    """Add the schemas of all answers to a document."""
    fields = _series_fields()
    for name, schema in (
        *_about_series(fields),
        *_about_analyses(),
        *_periods(),
        *_about_registries(),
        *_about_the_service(),
    ):
        spec.components.schema(name, dict(schema))


def _typed(shape: ColumnType) -> Schema:
    schema = several(_TYPES[shape.items]) if shape.items else _TYPES[shape.kind]
    return nullable(schema) if shape.nullable else schema


def _series_fields() -> dict[str, Schema]:
    """Describe the fields of a series by the table of fields."""
    return {name: _described(field) for name, field in FIELDS.items()}


def _described(field: Field) -> Schema:
    known = _ENTRIES[field.name] if field.type == "entries" else _OF_FIELDS[field.type]
    schema = {**known, "description": field.sentence}
    return nullable(schema) if field.nullable else schema


def _about_series(fields: dict[str, Schema]) -> Iterator[tuple[str, Schema]]:
    found: dict[str, Schema] = {
        "data": {"description": "The table; null if it was not requested, or if its file is damaged.", "anyOf": [
            *(ref(name) for name in ("Data",)), {"type": "null"}]},
        "data_rows": {**INTEGER, "description": "Number of rows of the requested part, before maxPoints."},
        "data_error": {**TEXT, "description": "Why the table is missing in a list."},
    }  # fmt: skip
    optional = (*(name for name in fields if name not in LISTED), *found)
    yield "Series", record({**fields, **found}, dict(examples.SERIES), optional=optional)
    past = {name: fields[name] for name in ("id", "revision", *IN_FILE, "filename", "hash")} | {"data": found["data"]}
    shown = {name: examples.SERIES[name] for name in ("id", "revision", "obj_id", "filename", "hash")}
    always = ("id", "revision", "filename", "hash")
    yield (
        "PastSeries",
        {
            **record(past, shown, optional=tuple(name for name in past if name not in always)),
            "additionalProperties": False,
            "description": "A series with the file of an earlier revision.",
        },
    )
    around = {"numPerPage": 100, "pageNumber": 1, "cursor": None}
    page = {"series": several(ref("Series")), **_page(), "cursor": nullable(TEXT)}
    yield (
        "SeriesPage",
        record(page, {"series": [dict(examples.SERIES)], "totalMatches": 1, **around}, optional=("totalMatches",)),
    )
    stored = {"id": INTEGER, "warnings": WARNINGS}, {"id": 1, "warnings": []}
    yield "Created", record(*stored)
    yield "Changed", record(*stored)
    yield "Restored", record({"id": INTEGER, "revision": INTEGER}, {"id": 1, "revision": 3})
    described = {name: {**several(INTEGER), "description": f"Ids: {what}."} for name, what in OUTCOMES.items()}
    described["next"] = {
        **nullable(INTEGER),
        "description": "The value of `after` for the next request; null at the end.",
    }
    yield "Undone", record(described, {**{name: [] for name in OUTCOMES}, "deleted": [1], "next": None})
    yield "Preview", _preview(fields)
    yield "Inspected", _inspected()
    yield "Summary", _summary()
    event = {
        "revision": INTEGER,
        "at": MOMENT,
        "user_id": INTEGER,
        "username": TEXT,
        "action": {"enum": list(ACTIONS)},
        "changed": mapping(record({"from": {}, "to": {}}, {"from": 1, "to": 2})),
        "hash": nullable(TEXT),
    }
    example = dict(examples.EVENT)
    details = tuple(name for name in event if name not in FOR_READERS)
    yield "History", record({"history": several(record(event, example, optional=details))}, {"history": [example]})


def _inspected() -> Schema:
    role = record({"role": TEXT, "column": TEXT, "why": TEXT}, {"role": "mjd", "column": "time", "why": "usual name"})
    members = {
        "survey": nullable(TEXT),
        "columns": {**several(role), "description": "The columns with a role, and the reason."},
        "names": {**several(TEXT), "description": "All columns of the file."},
        "rows": INTEGER,
        "first": {**TEXT, "description": "The first time as a date (ISO 8601), in the scale of the file."},
        "last": TEXT,
        "filters": {**mapping(INTEGER), "description": "The filters in the file, with their numbers of rows."},
        "filter": nullable(TEXT),
        "filter_map": {**nullable(TEXT), "description": "A likely entry of filter_map for the filter."},
        "fields": {**ANY_OBJECT, "description": "The fields found in the file."},
        "missing": {**several(TEXT), "description": "Required fields that are missing."},
        "options": {**ANY_OBJECT, "description": "The read options that select this series."},
        "warnings": WARNINGS,
        **_DESCRIBED,
        "light_curve": _LIGHT_CURVE,
    }
    example: dict[str, object] = {
        **dict.fromkeys(("survey", "filter", "filter_map", "magsys")),
        **{name: [] for name in ("columns", "names", "missing", "warnings")},
        **{name: {} for name in ("filters", "fields", "options")},
        "rows": 2,
        "first": "2023-02-25T12:00:00",
        "last": "2023-02-26T12:00:00",
    }
    series = {"type": "object", "properties": members, "required": list(example), "example": example}
    return record({"series": several(series), "more": INTEGER}, {"series": [], "more": 0})


def _preview(fields: dict[str, Schema]) -> Schema:
    members = {
        "metadata": {**ANY_OBJECT, "properties": {name: fields[name] for name in METADATA}},
        "sources": mapping({"enum": list(LAYERS)}),
        "columns": mapping(TEXT),
        "statistics": record({name: fields[name] for name in COMPUTED}, {}),
        "content_hash": TEXT,
        "warnings": WARNINGS,
        "exists": nullable(INTEGER),
        **_DESCRIBED,
        "light_curve": {**_LIGHT_CURVE, "description": "The light curve, if maxPoints is given."},
    }
    example = {
        "metadata": {name: examples.SERIES[name] for name in METADATA if examples.SERIES[name] is not None},
        "sources": dict.fromkeys(("obj_id", "filter"), "body"),
        "columns": dict.fromkeys(examples.COLUMNS, "float64"),
        "statistics": {name: examples.SERIES[name] for name in COMPUTED},
        "content_hash": examples.SERIES["content_hash"],
        "warnings": [],
        "exists": None,
        **_DESCRIBED_EXAMPLE,
    }
    schema = record(members, example, optional=("light_curve",))
    return {**schema, "description": "The result of dryRun for a series that would be created."}


def _summary() -> Schema:
    counted = {name: _OF_FIELDS[FIELDS[name].type] for name in COUNTED}
    shown = {"series": 1, **{name: examples.SERIES[name] for name in counted}}
    lists = {
        name: several(
            record({name: kind, "name": TEXT, "series": INTEGER}, {name: shown[name], "series": 1}, optional=("name",))
        )
        for name, kind in counted.items()
    }
    span = {"mjd_first": nullable(NUMBER), "mjd_last": nullable(NUMBER)}
    example = {
        "series": 1,
        "sources": 1,
        **{name: examples.SERIES[name] for name in span},
        **{name: [{name: shown[name], "series": 1}] for name in counted},
    }
    return record({"series": INTEGER, "sources": INTEGER, **span, **lists}, example)


_OF_PERIOD = ("power", "false_alarm", "error")

_POINTS: Mapping[str, Schema] = {
    **_DESCRIBED,
    "num_points": INTEGER,
    "weighted": {**FLAG, "description": "Whether the errors were used."},
}
_POINTS_EXAMPLE = {**_DESCRIBED_EXAMPLE, "num_points": 8, "weighted": True}


def _about_analyses() -> Iterator[tuple[str, Schema]]:
    numbers, gaps = several(NUMBER), several(nullable(NUMBER))
    peak = {
        "frequency": 4.0,
        "period": 0.25,
        "period_error": 0.01,
        "power": 0.6,
        "false_alarm": 0.2,
        "at_edge": False,
        "depth": None,
        "duration": None,
    }
    of_peaks = {
        **dict.fromkeys(peak, NUMBER),
        "period_error": {**nullable(NUMBER), "description": "Standard deviation of the period [d]; null at the edge."},
        "at_edge": {**FLAG, "description": "Whether the peak is at the edge of the searched range."},
        "false_alarm": {**nullable(NUMBER), "description": "For white noise; null except for Lomb-Scargle."},
        "depth": {**nullable(NUMBER), "description": "Depth of the box, in unit; null except for bls."},
        "duration": {**nullable(NUMBER), "description": "Duration of the box [d]; null except for bls."},
    }
    searched: dict[str, Schema] = {
        "min_period": {**NUMBER, "description": "The shortest searched period [d]."},
        "max_period": {**NUMBER, "description": "The longest searched period [d]."},
        "num_frequencies": INTEGER,
        "limited": {**FLAG, "description": "Whether the default range was cut to the allowed number of frequencies."},
        "warnings": WARNINGS,
        "peaks": several(record(of_peaks, peak)),
        "frequency": {**numbers, "description": "[1/d]"},
        "power": {**numbers, "description": "From 0 to 1."},
    }
    example = {
        "min_period": 0.1,
        "max_period": 0.7,
        "num_frequencies": 3,
        "limited": False,
        "warnings": [],
        "peaks": [peak],
        "frequency": [2.0, 4.0, 8.0],
        "power": [0.1, 0.6, 0.3],
    }
    of_one = record({**_POINTS, "method": TEXT, **searched}, {**_POINTS_EXAMPLE, "method": "lomb_scargle", **example})
    yield "Periodogram", of_one
    together = {"series": {**several(INTEGER), "description": "The ids."}, "num_points": INTEGER}
    yield "SourcePeriodogram", record({**together, **searched}, {"series": [1, 2], "num_points": 16, **example})
    bins = {"phase": [0.25, 0.75], "mean": [210.0, None], "error": [5.0, None], "count": [8, 0]}
    yield (
        "Folded",
        record(
            {
                **_POINTS,
                "period": {**NUMBER, "description": "[d]"},
                "epoch": {**NUMBER, "description": "A time of phase 0 [MJD]."},
                "phase": {**numbers, "description": "From 0 to 1."},
                "mjd": numbers,
                "value": {**numbers, "description": "Fluxes or magnitudes, in unit."},
                "error": {**gaps, "type": ["array", "null"]},
                "bins": record({name: several(INTEGER) if name == "count" else gaps for name in bins}, bins),
            },
            {
                **_POINTS_EXAMPLE,
                "period": 0.3,
                "epoch": 61000.1,
                "phase": [0.0],
                "mjd": [61000.1],
                "value": [208.9],
                "error": [20.0],
                "bins": bins,
            },
        ),
    )
    yield "Envelope", _envelope()


def _envelope() -> Schema:
    """Describe a light curve that a client draws."""
    numbers, gaps, whole = several(NUMBER), several(nullable(NUMBER)), several(INTEGER)
    range_ = {**gaps, "type": ["array", "null"]}
    kind = {**INTEGER, "description": f"Index in the list {', '.join(POINT_KINDS)}."}
    points = record(
        {"mjd": numbers, "value": numbers, "error": gaps, "kind": several(kind)},
        {"mjd": [61000.1], "value": [208.9], "error": [20.0], "kind": [0]},
    )
    column = record(
        {"kind": kind, "column": whole, "low": numbers, "median": numbers, "high": numbers, "count": whole},
        {"kind": 0, "column": [17], "low": [201.0], "median": [208.9], "high": [230.0], "count": [5]},
    )
    example = {
        "num_points": 1,
        "counts": {name: int(name == "detected") for name in POINT_KINDS},
        "start": 61000.1,
        "step": 0.001,
        "median": 208.9,
        "error": 20.0,
        "robust": [208.9, 208.9],
        "full": [208.9, 208.9],
        "points": points["example"],
        "columns": [],
    }
    shown = record(
        {
            "num_points": INTEGER,
            "counts": record(dict.fromkeys(POINT_KINDS, INTEGER), example["counts"]),
            "start": {**NUMBER, "description": "Start of the first time interval [MJD]."},
            "step": {**NUMBER, "description": "Width of a time interval [d]."},
            "median": nullable(NUMBER),
            "error": {**nullable(NUMBER), "description": "The typical error."},
            "robust": {**range_, "description": "The range of unflagged values, without a few outliers."},
            "full": {**range_, "description": "The range of all values."},
            "points": {**points, "type": ["object", "null"], "description": "All points, if they are few."},
            "columns": {**several(column), "description": "Intervals by kind, if there are many points."},
        },
        example,
    )
    return record({**_DESCRIBED, "envelope": shown}, {**_DESCRIBED_EXAMPLE, "envelope": example})


def _periods() -> Iterator[tuple[str, Schema]]:
    unknown = nullable(NUMBER)
    period = {
        "period": {**NUMBER, "description": "[d]"},
        "method": TEXT,
        "preferred": {**FLAG, "description": "Whether searches use this period for the series."},
        **{name: {**unknown, "description": FIELDS[f"period_{name}"].sentence} for name in _OF_PERIOD},
        "who": {**nullable(TEXT), "description": "The user who stored the period; null: the service."},
        "when": MOMENT,
        "version": {**nullable(INTEGER), "description": "Version of the service's search."},
        "grid": {
            "type": ["object", "null"],
            "description": "The grid that the service searched: min_period, max_period [d], num_frequencies.",
        },
    }
    example = dict(examples.PERIOD)
    yield "Periods", record({"periods": several(record(period, example))}, {"periods": [example]})
    yield "RemovedPeriods", record({"deleted": INTEGER}, {"deleted": 1})


def _page() -> dict[str, Schema]:
    return {"totalMatches": INTEGER, "numPerPage": INTEGER, "pageNumber": INTEGER}


def _about_registries() -> Iterator[tuple[str, Schema]]:
    also: Mapping[str, dict[str, Schema]] = {
        "users": {"single_user_group_id": INTEGER},
        "tokens": {"token": {**TEXT, "description": "The secret, which cannot be retrieved again."}},
        "sources": {"warnings": WARNINGS},
    }
    shown = {"single_user_group_id": 2, "token": "pUq3xM0aZk..."}
    for kind in RESOURCES:
        members = {name: _typed(shape) for name, shape in entry_columns(kind).items()}
        example = examples.entry(kind)
        yield noun(kind), record(members, example)
        more = also.get(kind, {})
        created = {"id": example["id"], **{name: shown[name] for name in more if name in shown}}
        yield (
            f"Created{noun(kind)}",
            record({"id": members["id"], **more}, created, optional=("warnings",)),
        )
        page = {kind: [example], "totalMatches": 1, "numPerPage": 100, "pageNumber": 1}
        yield f"{noun(kind)}Page", record({kind: several(ref(noun(kind))), **_page()}, page)

    event = {
        "id": 3, "at": examples.MOMENT, "user_id": 1, "username": "anna", "action": "change", "kind": "groups",
        "entry": "2", "details": {"add_user_ids": [4]},
    }  # fmt: skip
    types = {**dict.fromkeys(event, TEXT), "id": INTEGER, "details": {"type": "object"}}
    types |= {"at": {**TEXT, "format": "date-time"}, "user_id": {"type": ["integer", "null"]}}
    page = {"events": [event], "totalMatches": 1, "numPerPage": 100, "pageNumber": 1}
    yield "AuditPage", record({"events": several(record(types, event)), **_page()}, page)


def _about_the_service() -> Iterator[tuple[str, Schema]]:
    yield "Alive", record({"alive": {"const": True}}, {"alive": True})
    sandbox = record({"missing": several(TEXT)}, {"missing": []})
    behind = {**INTEGER, "description": "Number of series that `photseries recompute` has to update."}
    statistics = record({"behind": behind}, {"behind": 0})
    parts = {"ready": {"const": True}, "sandbox": sandbox, "statistics": statistics}
    yield "Ready", record(parts, {"ready": True, "sandbox": {"missing": []}, "statistics": {"behind": 0}})
    who = {"user_id": INTEGER, "username": TEXT}
    belongs = {"group_ids": several(INTEGER), "stream_ids": several(INTEGER)}
    known = {"enum": list(PERMISSIONS)}
    yield (
        "WhoAmI",
        record(
            {**who, "permissions": several(known), **belongs},
            {"user_id": 1, "username": "anna", "permissions": [], "group_ids": [1], "stream_ids": []},
        ),
    )
    used = {"owner_id": 1, "username": "anna", "series": 3, "bytes": 250_000, "kept_bytes": 80_000}
    about = {
        "bytes": "Length of the current files.",
        "kept_bytes": "Length of earlier files that are kept, which count for quotas.",
    }
    figures = {**dict.fromkeys(used, INTEGER), "username": TEXT}
    figures |= {name: {**INTEGER, "description": text} for name, text in about.items()}
    limits = {"series": 100, "bytes": 0}
    members = {"usage": several(record(figures, used)), "limits": record(dict.fromkeys(limits, INTEGER), limits)}
    yield "Usage", record(members, {"usage": [used], "limits": limits})
    listed = {name: list(values) for name, values in ENUMERATIONS.items()} | {"ALLOWED_PERMISSIONS": list(PERMISSIONS)}
    members = {"ALLOWED_BANDPASSES": several(ref("Filter")), **dict.fromkeys(listed, several(TEXT))}
    yield "EnumTypes", record(members, {"ALLOWED_BANDPASSES": ["bessellr"], **listed})
