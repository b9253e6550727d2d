"""Examples of all answers, computed by the real code."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from photseries.fields import ANSWERED, FIELDS, Operator
from photseries.fields.stored import file_metadata
from photseries.formats import json_columns
from photseries.hdf5 import stored_file
from photseries.hdf5.limits import Limits
from photseries.lightcurve.curve import light_curve
from photseries.lightcurve.digest import content_hash
from photseries.lightcurve.features import features
from photseries.lightcurve.metadata import complete_reference
from photseries.lightcurve.statistics import STATISTICS_VERSION, summarize
from photseries.parameters import Criterion, Parameter
from photseries.server.catalogue.column_types import entry_columns
from photseries.server.principal import EVERYONE, UPLOAD

__all__ = ["COLUMNS", "EVENT", "FILE", "MOMENT", "NEW_ENTRIES", "NEW_SERIES", "SERIES", "entry", "of_parameter"]

MOMENT = "2026-11-21T04:30:00+00:00"

#: The table of the example.
COLUMNS = {
    "mjd": [61000.1, 61000.2, 61000.3, 61000.45, 61000.5, 61000.65, 61000.7, 61000.8],
    "flux": [208.9, 251.2, 230.4, 212.3, 249.8, 236.1, 207.5, 240.2],
    "fluxerr": [20.0] * 8,
}

#: The same table as a file.
FILE = "".join(f"{','.join(map(str, row))}\n" for row in (COLUMNS, *zip(*COLUMNS.values(), strict=True)))

#: The request body that creates the example.
NEW_SERIES: Mapping[str, object] = MappingProxyType(
    {
        "obj_id": "MACHO 1.3444.614",
        "instrument_id": 1,
        "series_name": "MACHO/field 1",
        "series_obj_id": "614",
        "ra": 75.4317,
        "dec": -69.171,
        "exp_time": 300.0,
        "filter": "bessellr",
        "channel": "1",
        "origin": "pipeline 2",
        "batch": "20261129T015000Z-1f2e3d4c",
        "limiting_mag": 21.5,
        "magref": 17.5,
        "followup_request_id": 1,
        "assignment_id": 1,
        "time_scale": "utc",
        "time_refpos": "topocenter",
        "altdata": {"seeing": 1.2},
        "group_ids": [1],
        "stream_ids": [1],
        "data": COLUMNS,
    }
)

#: The request body that creates an entry, by kind.
NEW_ENTRIES: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {
        "users": {"username": "anna"},
        "groups": {"name": "crew", "user_ids": [1]},
        "streams": {"name": "feed", "user_ids": [1]},
        "sources": {"id": "MACHO 1.3444.614", "ra": 75.4317, "dec": -69.171},
        "instrument": {"name": "MACHO camera", "telescope": "Mount Stromlo 50 inch", "filters": ["bessellr"]},
        "followup_request": {"obj_id": "MACHO 1.3444.614"},
        "assignment": {"obj_id": "MACHO 1.3444.614"},
        "tokens": {"user_id": 1, "permissions": [UPLOAD], "name": "pipeline"},
    }
)

#: Values that the service sets, by type.
_VALUES: Mapping[type, object] = {int: 1, str: "pUq3xM0aZk", float: 1.0, bool: True, datetime: MOMENT, list: []}


def entry(kind: str) -> dict[str, object]:
    """Return an entry as in an answer."""
    example = NEW_ENTRIES[kind]
    return {
        name: example.get(name, None if shape.nullable else _VALUES[shape.kind])
        for name, shape in entry_columns(kind).items()
    }


_DEFAULTS = {name: field.default for name, field in FIELDS.items() if field.default is not None}


def _series() -> dict[str, object]:
    frame = json_columns.decode(COLUMNS, Limits())
    fields = {
        "id": 1,
        "created_at": MOMENT,
        "modified": MOMENT,
        "revision": 1,
        **_DEFAULTS,
        **complete_reference({name: value for name, value in NEW_SERIES.items() if name != "data"}),
        "owner_id": 1,
        "group_ids": [1, 2],
        "groups": [
            {"id": 1, "name": EVERYONE, "single_user_group": False},
            {"id": 2, "name": "anna", "single_user_group": True},
        ],
        "streams": [{"id": 1, "name": NEW_ENTRIES["streams"]["name"]}],
        "filename": "MACHO/field_1/614_inst1_bessellr_1_pipeline_2_1f0c9e7a5b3d2846.h5",
        "content_hash": content_hash(frame),
        "statistics_version": STATISTICS_VERSION,
        **dataclasses.asdict(summarize(frame)),
        **features(light_curve(frame)),
    }
    stored = stored_file.encode(frame, file_metadata(fields))
    fields["hash"] = hashlib.md5(stored, usedforsecurity=False).hexdigest()
    return {name: fields.get(name) for name in ANSWERED}


#: The example in an answer, without its table.
SERIES: Mapping[str, Any] = MappingProxyType(_series())

#: A period of the example that a user stored.
PERIOD: Mapping[str, object] = MappingProxyType(
    {
        "period": 0.55,
        "method": "by eye",
        "preferred": True,
        "power": None,
        "false_alarm": None,
        "error": None,
        "who": "anna",
        "when": MOMENT,
        "version": None,
        "grid": None,
    }
)

#: An event in the history of the example.
EVENT: Mapping[str, object] = MappingProxyType(
    {
        "revision": 2,
        "at": MOMENT,
        "user_id": 1,
        "username": "anna",
        "action": "update",
        "changed": {"origin": {"from": "pipeline 1", "to": SERIES["origin"]}},
        "hash": SERIES["hash"],
    }
)

_FREE: Mapping[str, object] = MappingProxyType(
    {
        "filename": "field_1/614",
        "radius": 0.01,
        "columns": ["mjd", "flux"],
        "mjdMin": 61000.15,
        "mjdMax": 61001,
        "rowMax": 10,
        "maxPoints": 1000,
        "derive": ["snr"],
        "minPeriod": 0.1,
        "maxPeriod": 0.6,
        "period": 0.25,
        "epoch": 61000.1,
    }
)


def of_parameter(parameter: Parameter) -> object:
    """Return a value that the example matches; None for a parameter that has none."""
    if parameter.name in _FREE:
        return _FREE[parameter.name]
    if isinstance(parameter, Criterion):
        return _matched(parameter)
    return parameter.kind.schema.get("enum", [None])[0] if parameter.default is None else parameter.default


def _matched(criterion: Criterion) -> object:
    match criterion.operator:
        case Operator.IS_NULL:
            return False
        case Operator.STATISTIC:
            return criterion.kind.schema["examples"]
        case Operator.NONE_OF:
            return ["another star"]
        case Operator.CONE:
            return SERIES[criterion.name]
    value = SERIES[criterion.field]
    is_array = criterion.kind.schema.get("type") == "array"
    return [value] if is_array and not isinstance(value, list) else value
