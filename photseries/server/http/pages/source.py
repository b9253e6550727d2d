"""The page of one source: all its series on one time axis."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from photseries.lightcurve.positions import sexagesimal
from photseries.parameters import MAX_PER_PAGE, Query
from photseries.parameters.value_types import join_values
from photseries.server.http.credentials import origin_of
from photseries.server.http.pages.axes import BrightnessAxis, axes_of, frame_of
from photseries.server.http.pages.elsewhere import links_of
from photseries.server.http.pages.page import PageHandler
from photseries.server.http.pages.snippets import of_source
from photseries.server.http.series import restricted_to_source

__all__ = ["SourcePageHandler", "source_path"]

#: The fields of each series that the page's script reads.
_PLOTTED = ("id", "filter", "num_exp", "mjd_first", "mjd_last")

#: The names of flag columns.
_FLAGS = re.compile(r"qual|flag", re.IGNORECASE)

#: Number of colours in the style sheet; the preferred colour of filters by their last letter, from blue to red.
COLOURS = 8
_LETTERS = "ubgvcrizyjhk"
_LIKE = {"u": 6, "b": 0, "g": 2, "v": 2, "r": 1, "i": 3, "z": 7, "y": 5}


class SourcePageHandler(PageHandler):
    """The page of one source."""

    public: ClassVar[bool] = True

    async def get(self, identity: str = "") -> None:
        """Show a source, named in the path or in the parameter ``name``."""
        await self.show("source.html", lambda: self._values(identity or self.arguments().get("name", [""])[-1]))

    def _values(self, identity: str) -> Mapping[str, object]:
        source = self.services.accounts.get(self.principal, "sources", identity)
        query = restricted_to_source(Query(sort_by="filter", per_page=MAX_PER_PAGE), identity)
        page, total = self.services.reader.find(self.principal, query)
        series = [record.fields for record in page.records]
        bands = _bands({fields["filter"] for fields in series})
        series.sort(key=lambda fields: list(bands).index(fields["filter"]))
        names = {fields["instrument_id"]: "" for fields in series}
        for instrument in names:
            entry = self.services.accounts.get(self.principal, "instrument", str(instrument))
            names[instrument] = entry["name"]
        sets = _sets(series, names)
        axes = list(dict.fromkeys(sorted((axis for fields in series for axis in axes_of(fields)), key=_place_of)))
        return {
            "source": source,
            "axes": axes,
            "found": series,
            "total": total,
            "listed": urlencode({"objID": join_values([identity])}),
            "bands": bands,
            "columns": ("num_exp", "mjd_first", "mjd_last", "mean_mag", "rms_mag", "magref"),
            "sets": sets,
            "sexagesimal": sexagesimal(source["ra"], source["dec"]),
            "links": links_of(source["ra"], source["dec"]),
            "snippets": of_source(origin_of(self.request, self.services.config.server), source["id"]),
            "plotted": {
                "threshold": self.services.config.photometry.detection_threshold,
                "axes": {axis.value: asdict(axis) for axis in axes},
                "source": source["id"],
                "sets": list(dict.fromkeys(sets)),
                "series": [self._plotted(fields, bands, of) for fields, of in zip(series, sets, strict=True)],
            },
        }

    def _plotted(self, fields: Mapping[str, Any], bands: Mapping[str, int], of: str) -> Mapping[str, object]:
        return {
            **{name: fields[name] for name in _PLOTTED},
            "set": of,
            "frame": frame_of(fields),
            "quality": next((name for name in fields["medians"] if _FLAGS.search(name)), None),
            "band": bands[fields["filter"]],
            "axes": [axis.value for axis in axes_of(fields)],
        }


def _sets(series: Sequence[Mapping[str, Any]], instruments: Mapping[int, str]) -> list[str]:
    """Return the label of a series within its filter: the instrument, with origin and channel if they differ."""
    differing = [name for name in ("origin", "channel") if len({fields[name] for fields in series}) > 1]
    return [
        " / ".join(filter(None, (instruments[fields["instrument_id"]], *(fields[name] for name in differing))))
        for fields in series
    ]


def _place_of(axis: BrightnessAxis) -> tuple[bool, bool]:
    """Order axes: magnitudes before fluxes, AB and uJy before others."""
    return axis.brightness == "flux", axis.value not in ("mag", "flux")


def source_path(name: str) -> str:
    """Return the URL of the page of a source; browsers resolve ``..`` in a path even if it is escaped."""
    return f"/sources?{urlencode({'name': name})}" if name in (".", "..") else f"/sources/{quote(name, safe='')}"


def _bands(filters: Set[str]) -> dict[str, int]:
    """Sort filters from blue to red, and assign each the most similar of the least used colours of the style sheet."""
    ordered = sorted(filters, key=lambda name: (_LETTERS.find(name[-1].lower()), name))
    bands: dict[str, int] = {}
    for name in ordered:
        liked = _LIKE.get(name[-1].lower(), 0)
        similar = [(liked + step) % COLOURS for step in range(COLOURS)]
        bands[name] = min(similar, key=list(bands.values()).count)
    return bands
