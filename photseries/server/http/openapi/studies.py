"""The schemas of what is computed from one series, each with an example."""

from __future__ import annotations

from apispec import APISpec

from photseries.server.http.openapi.answers import FLAG, INTEGER, NUMBER, Schema, nullable, record, several

__all__ = ["add_studies"]

_ABOUT: Schema = {
    "brightness": {"enum": ["flux", "mag"]},
    "num_points": INTEGER,
    "weighted": {**FLAG, "description": "Whether the errors were used."},
}
_SHOWN = {"brightness": "flux", "num_points": 8, "weighted": True}


def add_studies(spec: APISpec) -> None:
    """Add the schemas of periodograms and folded light curves to a document."""
    numbers, gaps = several(NUMBER), several(nullable(NUMBER))
    peak = {"frequency": 4.0, "period": 0.25, "power": 0.6, "false_alarm": 0.2}
    spec.components.schema(
        "Periodogram",
        record(
            {
                **_ABOUT,
                "min_period": {**NUMBER, "description": "The shortest that was looked at [d]."},
                "max_period": {**NUMBER, "description": "The longest that was looked at [d]."},
                "num_frequencies": INTEGER,
                "peaks": several(record(dict.fromkeys(peak, NUMBER), peak)),
                "frequency": {**numbers, "description": "[1/d]"},
                "power": {**numbers, "description": "From 0 to 1."},
            },
            {
                **_SHOWN,
                "min_period": 0.1,
                "max_period": 0.7,
                "num_frequencies": 3,
                "peaks": [peak],
                "frequency": [2.0, 4.0, 8.0],
                "power": [0.1, 0.6, 0.3],
            },
        ),
    )
    bins = {"phase": [0.25, 0.75], "mean": [210.0, None], "error": [5.0, None], "count": [8, 0]}
    spec.components.schema(
        "Folded",
        record(
            {
                **_ABOUT,
                "period": {**NUMBER, "description": "[d]"},
                "epoch": {**NUMBER, "description": "A time of phase 0 [MJD]."},
                "phase": {**numbers, "description": "From 0 to 1."},
                "mjd": numbers,
                "value": {**numbers, "description": "Fluxes [uJy] or magnitudes [AB mag]."},
                "error": {**gaps, "type": ["array", "null"]},
                "bins": record({name: several(INTEGER) if name == "count" else gaps for name in bins}, bins),
            },
            {
                **_SHOWN,
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
