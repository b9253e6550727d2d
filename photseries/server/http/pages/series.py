"""The pages of one series: its light curve with fields and files, and its period search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from photseries.errors import NotFoundError
from photseries.fields import FIELDS, METADATA, PER_COLUMN, Section, displayed
from photseries.formats.registry import WRITERS
from photseries.lightcurve.calibration import calibration_of
from photseries.lightcurve.curve import brightness_spellings
from photseries.lightcurve.meaning import meaning
from photseries.lightcurve.positions import sexagesimal
from photseries.lightcurve.table import BRIGHTNESS, FLUX, FLUXERR, MAGERR, TIME
from photseries.server.http.analysis import PlotHandler
from photseries.server.http.base import ANY
from photseries.server.http.credentials import origin_of
from photseries.server.http.files import FileHandler
from photseries.server.http.pages.axes import axes_of, frame_of
from photseries.server.http.pages.labels import field_rows
from photseries.server.http.pages.page import PageHandler
from photseries.server.http.pages.snippets import of_period, of_series
from photseries.server.http.pages.source import source_path
from photseries.server.http.series import number_of
from photseries.server.principal import CHANGE_SERIES

__all__ = ["PeriodPageHandler", "SeriesFigureHandler", "SeriesFileHandler", "SeriesPageHandler"]

#: The metadata that the page's script reads.
_PLOTTED = ("id", "num_exp", "mjd_first", "mjd_last", "filter", "obj_id")


class SeriesPageHandler(PageHandler):
    """The page of one series."""

    public: ClassVar[bool] = True

    async def get(self, identity: str) -> None:
        """Show a series."""
        series_id = number_of(identity)
        try:
            await self.show("series.html", lambda: self.values(series_id))
        except NotFoundError:
            if not await self.run(lambda: self.services.restorer.is_restorable(self.principal, series_id)):
                raise
            self.set_status(404)
            await self.show("deleted.html", lambda: {"series_id": series_id})

    def values(self, series_id: int) -> Mapping[str, object]:
        """Return the values of the template; call it in a thread."""
        fields = self.services.reader.get(self.principal, series_id).fields
        instrument = self.services.accounts.get(self.principal, "instrument", str(fields["instrument_id"]))
        return {
            "fields": fields,
            "plotted": self._plotted(fields),
            "instrument": instrument["name"],
            "source_path": source_path(fields["obj_id"]),
            "words": field_rows(fields, Section.METADATA),
            "statistics": field_rows(fields, Section.STATISTIC),
            "features": field_rows(fields, Section.FEATURE),
            "period": field_rows(fields, Section.PERIOD),
            "per_column": [FIELDS[name] for name in PER_COLUMN],
            "unit_of": lambda column: displayed(meaning(column, fields).unit),
            "history": self.services.reader.history(self.principal, series_id),
            "formats": [writer.name for writer in WRITERS.values() if writer.is_installed],
            "snippets": of_series(origin_of(self.request, self.services.config.server), series_id),
            "frame": frame_of(fields)["frame"],
            "sexagesimal": sexagesimal(fields["ra"], fields["dec"]),
            "editable": [],
            **(
                self._changes(fields, instrument) if CHANGE_SERIES.allows_on(self.principal, fields["owner_id"]) else {}
            ),
        }

    def _changes(self, fields: Mapping[str, Any], instrument: Mapping[str, Any]) -> Mapping[str, object]:
        """Return the choices of the form that changes the series, among them the current ones."""
        return {
            "editable": [FIELDS[name] for name in METADATA],
            "filters": self.services.archive.filters,
            "instruments": {item["id"]: item["name"] for item in (instrument, *self.listed("instrument"))},
            "shareable": {item["id"]: item["name"] for item in (*fields["groups"], *self.listed("groups"))},
            "shared": {item["id"] for item in fields["groups"]},
        }

    def _plotted(self, fields: Mapping[str, Any]) -> Mapping[str, object]:
        """Return the input of the script: numbers of the series, and the roles of its columns."""
        numeric = list(fields["medians"])
        time = next(name for name in TIME if name in numeric)
        spellings = brightness_spellings(calibration_of(fields))
        brightness = next(name for name in spellings if name in numeric)
        # The script requests these in both units and the derived S/N, which replaces a column of that name.
        canonical = {*TIME, *BRIGHTNESS, FLUXERR, MAGERR, "snr"}
        return {
            **{name: fields[name] for name in _PLOTTED},
            "threshold": self.services.config.photometry.detection_threshold,
            "time": time,
            "frame": frame_of(fields),
            "unit": "flux" if brightness in FLUX else "mag",
            "labels": {axis.brightness: axis.label for axis in axes_of(fields)},
            "columns": [name for name in numeric if name not in canonical],
        }


class PeriodPageHandler(SeriesPageHandler):
    """The periodogram of a series, and its light curve folded."""

    async def get(self, identity: str) -> None:
        """Find the period of a series."""
        series_id = number_of(identity)
        own = {
            "snippets": of_period(origin_of(self.request, self.services.config.server), series_id),
            "methods": FIELDS["period_method"].value_labels,
        }
        await self.show("period.html", lambda: {**self.values(series_id), **own})


class SeriesFigureHandler(PageHandler, PlotHandler):
    """The light curve of a series as PDF, a link of its page."""

    media_type: ClassVar[str] = "application/pdf"


class SeriesFileHandler(PageHandler, FileHandler):
    """The files of a series, as links of its page: a session suffices for reading."""

    needs: ClassVar = {"GET": ANY}
