"""The use cases that analyse a series: periodogram (also of a source), folded light curve, plot."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Annotated

import numpy as np

from photseries.errors import InvalidError, NotFoundError
from photseries.lightcurve import folding
from photseries.lightcurve.binning import binned_in_time, cleaned
from photseries.lightcurve.calibration import BrightnessDescription, Unit, calibration_of
from photseries.lightcurve.curve import good_rows, require_derivable
from photseries.lightcurve.envelope import DETECTED, FLAGGED, Envelope, envelope, plot_values
from photseries.lightcurve.folding import Bins
from photseries.lightcurve.lomb_scargle import SearchedPeriods
from photseries.lightcurve.meaning import time_frame
from photseries.lightcurve.peaks import Peak
from photseries.lightcurve.period_methods import BandCurve, search_bands, search_by
from photseries.lightcurve.periodogram import PeriodSearch, SearchOptions, search_periods
from photseries.lightcurve.photometry import NULLABLE, FloatArray, IntArray
from photseries.lightcurve.samples import Samples, numbers_of, samples, unit_of
from photseries.lightcurve.select import minmax_decimate
from photseries.lightcurve.selection import Bin, Selection
from photseries.parameters import Query
from photseries.server.archive.plot import png
from photseries.server.archive.reader import SeriesReader
from photseries.server.catalogue.series_queries import SeriesRecord
from photseries.server.principal import Principal
from photseries.server.settings import PeriodogramSettings

__all__ = ["Analysis", "FoldedLightCurve", "Periodogram", "PlottedLightCurve", "PointSelection", "SourcePeriodogram"]


@dataclass(frozen=True)
class PointSelection:
    """The points of a light curve to analyse.

    Attributes
    ----------
    brightness : {"flux", "mag"}, optional
        The unit to analyse in; by default the unit of the table.
    quality : str, optional
        A column; rows in which it is not 0 are left out.
    mjd_min, mjd_max : float, optional
        The first and the last time, inclusive [d].
    bin : float or "night", optional
        Means in bins of this width [d], or of a night, instead of the points.
    detrend : float, optional
        Subtract the running median in a window of this width [d]; its median stays.
    clip : float, optional
        Omit points farther from the median than this many times 1.4826 median absolute deviations.
    """

    brightness: Unit | None = None
    quality: str | None = None
    mjd_min: float | None = None
    mjd_max: float | None = None
    bin: Bin | None = None
    detrend: float | None = None
    clip: float | None = None


class _Analysed(BrightnessDescription):
    num_points: Annotated[int, "Number of analysed points."]
    weighted: Annotated[bool, "Whether the errors were used."]


class _Searched(SearchedPeriods):
    limited: Annotated[bool, "Whether the default range was cut to the allowed number of frequencies."]
    warnings: Annotated[list[str], "Periods that were not searched, if the range was cut."]
    peaks: Annotated[list[Peak], "The highest first."]
    frequency: Annotated[FloatArray, "[1/d]"]
    power: Annotated[FloatArray, "From 0 to 1."]


class Periodogram(_Analysed, _Searched):
    """A periodogram, thinned out for a plot, and its highest peaks."""

    method: str


class SourcePeriodogram(_Searched):
    """The multi-band periodogram of the series of a source, thinned out for a plot, and its highest peaks."""

    series: Annotated[list[int], "The ids."]
    num_points: Annotated[int, "Number of points of all series."]


class FoldedLightCurve(_Analysed):
    """A light curve folded on a period, and its means over all points in equal parts of the period."""

    period: Annotated[float, "[d]"]
    epoch: Annotated[float, "A time of phase 0 [MJD]."]
    phase: Annotated[FloatArray, "From 0 to 1."]
    mjd: FloatArray
    value: Annotated[FloatArray, "Fluxes or magnitudes, in unit."]
    error: Annotated[FloatArray | None, NULLABLE]
    bins: Bins


class PlottedLightCurve(BrightnessDescription):
    """A light curve for a plot."""

    envelope: Envelope


#: Maximum number of series of a source, and of their rows, per search.
MAX_SERIES, MAX_ROWS = 100, 2_000_000


class Analysis:
    """Analyses one series that a principal has found.

    Every method returns the series too, as :class:`SeriesReader` does, and raises NotFoundError when the series is not
    visible any more, DamagedError when its file is missing or altered, and InvalidError when no point is selected.

    Parameters
    ----------
    reader : SeriesReader
    settings : photseries.server.settings.PeriodogramSettings
        The limits of a periodogram.
    detection_threshold : float
        A point is detected when its S/N is above this.
    """

    def __init__(self, reader: SeriesReader, settings: PeriodogramSettings, detection_threshold: float) -> None:
        self._reader = reader
        self._settings = settings
        self._detection_threshold = detection_threshold

    def periodogram(
        self,
        principal: Principal,
        series: SeriesRecord,
        points: PointSelection,
        options: SearchOptions,
        *,
        method: str,
        max_points: int,
    ) -> tuple[SeriesRecord, Periodogram]:
        """Compute the periodogram of a series.

        Parameters
        ----------
        principal : Principal
        series : SeriesRecord
        points : PointSelection
        options : SearchOptions
            The settings replace the number of frequencies and the time that it allows.
        method : {"lomb_scargle", "harmonics", "bls", "pdm", "window"}
        max_points : int
            Maximum number of frequencies to return.

        Raises
        ------
        InvalidError
            When the points do not allow a periodogram, or it needs more frequencies than the settings allow.
        LateError
            When it takes longer than the settings allow.
        NotInstalledError
            For box least squares, when astropy is not installed.
        """
        series, chosen = self._select(principal, series, points)
        search_for = search_periods if method == "lomb_scargle" else partial(search_by, method)
        value = -chosen.value if method == "bls" and chosen.unit == "mag" else chosen.value
        search = search_for(chosen.mjd, value, chosen.error, self._limit_options(options))
        return series, {
            **calibration_of(series.fields).describe(chosen.unit),
            "method": method,
            "num_points": len(chosen.mjd),
            "weighted": chosen.error is not None and method not in ("pdm", "window"),
            **_thinned_out(search, max_points),
        }

    def periodogram_of_source(
        self, principal: Principal, query: Query, points: PointSelection, options: SearchOptions, *, max_points: int
    ) -> SourcePeriodogram:
        """Search the series of a source for the period that they share.

        Parameters
        ----------
        principal : Principal
        query : Query
            Which series.
        points : PointSelection
            A series without such points is left out.
        options, max_points
            As of :meth:`periodogram`.

        Raises
        ------
        InvalidError
            When there are more than 100 series or too many rows, no series allows a search, or it needs more
            frequencies than the settings allow.
        DamagedError
            When the file of a series is missing or altered.
        LateError
            When it takes longer than the settings allow.
        """
        listed = list(islice(self._reader.find_all(principal, query), MAX_SERIES + 1))
        rows = sum(series.fields["num_exp"] for series in listed)
        if len(listed) > MAX_SERIES or rows > MAX_ROWS:
            raise InvalidError(
                f"The source has more than {MAX_SERIES} series or {MAX_ROWS:,} rows: search its series one by one."
            )
        bands: dict[int, BandCurve] = {}
        for series in listed:
            with suppress(InvalidError, NotFoundError):
                _, chosen = self._select(principal, series, points)
                bands[series.blob.series_id] = BandCurve(chosen.mjd, chosen.value, chosen.error)
        search = search_bands(list(bands.values()), self._limit_options(options))
        number = sum(len(band.mjd) for band in bands.values())
        return {"series": list(bands), "num_points": number, **_thinned_out(search, max_points)}

    def fold(
        self,
        principal: Principal,
        series: SeriesRecord,
        points: PointSelection,
        *,
        period: float,
        epoch: float | None = None,
        bins: int,
        max_points: int,
    ) -> tuple[SeriesRecord, FoldedLightCurve]:
        """Fold the light curve of a series on a period.

        Parameters
        ----------
        principal : Principal
        series : SeriesRecord
        points : PointSelection
        period : float
            [d], above 0.
        epoch : float, optional
            A time of phase 0 [MJD]; by default the time of the first point.
        bins : int
            The number of parts of the period to average in.
        max_points : int
            Maximum number of points to return, evenly spaced; the means are over all points.
        """
        series, chosen = self._select(principal, series, points)
        epoch = float(chosen.mjd[0]) if epoch is None else epoch
        phase = folding.phases(chosen.mjd, period, epoch)
        selected = slice(None, None, -(-len(phase) // max_points))
        return series, {
            **calibration_of(series.fields).describe(chosen.unit),
            "num_points": len(chosen.mjd),
            "weighted": chosen.error is not None,
            "period": period,
            "epoch": epoch,
            "phase": phase[selected],
            "mjd": chosen.mjd[selected],
            "value": chosen.value[selected],
            "error": None if chosen.error is None else chosen.error[selected],
            "bins": folding.binned(chosen, phase, bins),
        }

    def envelope(
        self,
        principal: Principal,
        series: SeriesRecord,
        points: PointSelection,
        *,
        width: int,
        max_points: int,
        column: str | None = None,
    ) -> tuple[SeriesRecord, PlottedLightCurve]:
        """Prepare the light curve of a series, or another column, for a plot.

        Parameters
        ----------
        principal : Principal
        series : SeriesRecord
        points : PointSelection
            Rows that are flagged by ``quality`` are not left out, but marked.
        width : int
            The number of columns in which many points are summarized.
        max_points : int
            Maximum number of points returned without reduction.
        column : str, optional
            A column of numbers to show instead of the brightness.
        """
        series, table = self._reader.cached_table(principal, series)
        frame, metadata, curve = table.decoded.frame, table.decoded.metadata, table.curve
        calibration = calibration_of(metadata)
        unit = points.brightness or unit_of(frame, calibration)
        require_derivable((unit,), frame, calibration, "brightness")
        rows = _rows_between(curve.mjd, points.mjd_min, points.mjd_max)
        good = good_rows(frame, metadata)
        flagged = np.zeros(len(curve.mjd), bool)[rows] if good is None else ~good[rows]
        if points.quality is not None:
            flagged |= numbers_of(frame, points.quality, "quality")[rows] != 0
        part = curve.part(rows)
        value, error, kind = plot_values(part, table.snr[rows], flagged, unit, self._detection_threshold)
        described = calibration.describe(unit)
        if column is not None:
            value = numbers_of(frame, column, "column")[rows]
            error, kind = np.full(len(value), np.nan), np.where(kind == FLAGGED, FLAGGED, DETECTED)
            described |= {"label": column, "unit": ""}
        shown = envelope(
            part.mjd, value, error, kind,
            width=width, max_points=max_points, mjd_min=points.mjd_min, mjd_max=points.mjd_max,
        )  # fmt: skip
        return series, {**described, "envelope": shown}

    def plot(
        self,
        principal: Principal,
        series: SeriesRecord,
        points: PointSelection,
        *,
        size: tuple[int, int],
        theme: str,
        time: str,
        form: str = "png",
    ) -> tuple[SeriesRecord, bytes]:
        """Draw the light curve of a series as PNG or PDF; see :func:`photseries.server.archive.plot.png`.

        Raises
        ------
        NotInstalledError
            When matplotlib is not installed.
        """
        series, chosen = self._select(principal, series, points)
        fields = series.fields
        subtitle = f"{fields['series_name']}, {fields['filter']}"
        return series, png(
            chosen,
            title=str(fields["obj_id"]),
            subtitle=subtitle,
            label=calibration_of(fields).label(chosen.unit),
            size=size,
            theme=theme,
            time=time,
            threshold=self._detection_threshold,
            frame=time_frame(fields),
            form=form,
        )

    def _limit_options(self, options: SearchOptions) -> SearchOptions:
        """Return the options of a search within the limits of the settings."""
        return replace(options, max_frequencies=self._settings.frequencies, seconds=self._settings.deadline)

    def _select(
        self, principal: Principal, series: SeriesRecord, points: PointSelection
    ) -> tuple[SeriesRecord, Samples]:
        series, stored = self._reader.table(principal, series)
        calibration = calibration_of(stored.metadata)
        chosen = samples(
            stored.frame,
            points.brightness or unit_of(stored.frame, calibration),
            calibration,
            good=good_rows(stored.frame, stored.metadata),
            quality=points.quality,
            mjd_min=points.mjd_min,
            mjd_max=points.mjd_max,
        )
        chosen = cleaned(chosen, points.detrend, points.clip)
        if points.bin is not None:
            longitude = self._reader.with_location(series.fields, Selection(bin=points.bin)).get("longitude") or 0.0
            chosen = binned_in_time(chosen, points.bin, series.fields["mjd_first"], longitude).samples
        return series, chosen


def _thinned_out(search: PeriodSearch, max_points: int) -> _Searched:
    """Return the facts about a search for an answer.

    Half of the points are the lowest frequencies: on a logarithmic axis of periods they take most of the room.
    """
    lowest = min(max_points // 2, len(search.power))
    rest = lowest + minmax_decimate(search.power[lowest:], max_points - lowest)
    selected = np.concatenate([np.arange(lowest), rest])
    return {
        **search.grid.periods,
        "limited": search.limited,
        "warnings": search.warnings,
        "peaks": search.peaks,
        "frequency": search.grid.first + search.grid.step * selected.astype(np.float64),
        "power": search.power[selected],
    }


def _rows_between(mjd: FloatArray, first: float | None, last: float | None) -> slice | IntArray:
    """Return the rows between two times, sorted by time."""
    if bool(np.all(mjd[1:] >= mjd[:-1])):
        begin = 0 if first is None else int(np.searchsorted(mjd, first, "left"))
        end = len(mjd) if last is None else int(np.searchsorted(mjd, last, "right"))
        return slice(begin, end)
    rows = np.flatnonzero(np.isfinite(mjd))
    rows = rows[np.argsort(mjd[rows], kind="stable")]
    inside = _rows_between(mjd[rows], first, last)
    return rows[inside]
