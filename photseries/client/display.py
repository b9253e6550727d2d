"""HTML for notebooks: client, search results and series. Every value is escaped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape

import pandas as pd

from photseries.client.curves import Curve, svg
from photseries.fields import FIELDS, OVERVIEW
from photseries.lightcurve.calibration import unit_in

__all__ = ["SearchResult", "client_html", "series_html"]


class SearchResult(pd.DataFrame):
    """The frame that a search returns; it is displayed with only the columns that distinguish series."""

    @property
    def _constructor(self) -> Callable[..., pd.DataFrame]:
        return pd.DataFrame

    def __repr__(self) -> str:
        return f"{self._overview!r}\n\n{self._size}"

    def _repr_html_(self) -> str | None:
        """Return the main columns as a table."""
        return f"<p>{self._size}</p>{self._overview.to_html(max_rows=20, border=0)}"

    @property
    def _overview(self) -> pd.DataFrame:
        names = [name for name in ("position", *OVERVIEW) if name in self and (self.empty or self[name].notna().any())]
        return pd.DataFrame(self)[names]

    @property
    def _size(self) -> str:
        return f"{len(self):,} series, {len(self.columns)} fields each"


def client_html(url: str, version: str) -> str:
    """Return a client as HTML: its service, and the next steps."""
    address = escape(url)
    return (
        f'<p><strong>photseries</strong> client {escape(version)} of <a href="{address}">{address}</a></p>'
        "<p><code>client.find(...)</code> searches, <code>client[1]</code> is a series, "
        "<code>client.upload(...)</code> stores one.</p>"
    )


def series_html(metadata: Mapping[str, object], curve: Curve | None, problem: str = "") -> str:
    """Return a series as HTML: its plot, or the reason why it has none, and its main fields."""
    rows = "".join(
        f"<tr><th>{escape(FIELDS[name].label)}</th><td>{_cell(name, metadata)}</td></tr>"
        for name in OVERVIEW
        if name != "separation" and metadata.get(name) is not None
    )
    title = escape(f"{metadata.get('obj_id')}, {metadata.get('filter')}, {metadata.get('series_name')}")
    picture = f"<p>{escape(problem)}</p>" if curve is None else svg(curve)
    return f"<p><strong>{title}</strong></p>{picture}<table>{rows}</table>"


def _cell(name: str, metadata: Mapping[str, object]) -> str:
    value, unit = metadata[name], unit_in(FIELDS[name], metadata)
    digits = FIELDS[name].digits
    text = f"{value:.{digits}f}" if digits is not None and isinstance(value, int | float) else str(value)
    return escape(f"{text} {unit}" if unit else text)
