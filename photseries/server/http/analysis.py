"""The handlers of analyses of one series: periodogram, folded light curve, plot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import ClassVar

from photseries import parameters
from photseries.errors import BusyError, DamagedError, InvalidError, LateError, NotInstalledError
from photseries.lightcurve.periodogram import SearchOptions
from photseries.lightcurve.selection import Selection
from photseries.parameters import ENVELOPE, FOLDED, PERIODOGRAM, PLOT, SOURCE_PERIODOGRAM, Parameter, ParameterValues
from photseries.server.archive.analysis import PointSelection, SourcePeriodogram
from photseries.server.catalogue.series_queries import SeriesRecord
from photseries.server.http.answers import success
from photseries.server.http.base import ANY, BaseHandler
from photseries.server.http.contract import IF_NONE_MATCH, Contract, Raw
from photseries.server.http.etags import is_known, set_validators, tag_of
from photseries.server.http.series import number_of, restricted_to_source
from photseries.server.principal import Requirement

__all__ = ["EnvelopeHandler", "FoldedHandler", "PeriodogramHandler", "PlotHandler", "SourcePeriodogramHandler"]

#: The series and the result of an analysis.
_Computed = tuple[SeriesRecord, object]

_UNCHANGED = {304: "Unchanged since the ETag in If-None-Match."}


class AnalysisHandler(BaseHandler):
    """The base of the analysis handlers: an answer stays valid until the series or a setting of analyses changes."""

    needs: ClassVar[Mapping[str, Requirement | None]] = {"GET": ANY}
    public: ClassVar[bool] = True

    async def answer(
        self,
        identity: str,
        accepted: Sequence[Parameter],
        compute: Callable[[SeriesRecord, PointSelection, Mapping[str, object]], tuple[SeriesRecord, object]],
        media_type: str = "application/json; charset=UTF-8",
        *,
        waits: bool = True,
    ) -> None:
        """Send the result of an analysis, or 304 if the client's copy is current.

        Parameters
        ----------
        identity : str
            The id of the series in the path.
        accepted : sequence of Parameter
        compute : callable
            Called in a thread with the series, the points to analyse and the values of the parameters; returns the
            series, and data for the success envelope or, of another media type, bytes.
        media_type : str
        waits : bool
            Whether it is slow, and waits for its turn among the analyses.
        """

        def find() -> tuple[SeriesRecord, ParameterValues, bytes, bool]:
            series_id = number_of(identity)
            values = parameters.read(self.arguments(), accepted)
            series = self.services.reader.get(self.principal, series_id)
            config = self.services.config
            settings = repr((config.periodogram, config.photometry.detection_threshold)).encode()
            mark = self.services.reader.location_mark(series, Selection(bin=values.get("bin"))) + settings
            has_it = is_known(self.request.headers, tag_of(series, "analysis", mark))
            self.weigh(not has_it)
            return series, values, mark, has_it

        def answer() -> tuple[SeriesRecord, bytes]:
            computed, result = compute(series, points, values)
            return computed, result if isinstance(result, bytes) else success(result)

        series, values, mark, has_it = await self.run(find)
        content = b""
        if has_it:
            self.set_status(304)
        else:
            chosen = ("brightness", "quality", "mjdMin", "mjdMax", "bin", "detrend", "clip")
            points = PointSelection(*(values.get(name) for name in chosen))
            async with (
                self.shared.analyses.place(self.caller.key) if waits else nullcontext()
            ):  # keeps a few threads free
                series, content = await self.run(answer, heavy=True)
            self.set_header("Content-Type", media_type)
        set_validators(self, tag_of(series, "analysis", mark))
        await self.send([content])


def _options(values: ParameterValues) -> SearchOptions:
    """Return the options of the search that a request describes."""
    return SearchOptions(
        min_period=values.get("minPeriod"),
        max_period=values.get("maxPeriod"),
        samples_per_peak=values["samplesPerPeak"],
        max_peaks=values["peaks"],
    )


class PeriodogramHandler(AnalysisHandler):
    """The periodogram of a series."""

    @Contract(
        query=PERIODOGRAM,
        headers=(IF_NONE_MATCH,),
        gives="Periodogram",
        also=_UNCHANGED,
        fails=(DamagedError, LateError, BusyError, NotInstalledError),
    )
    async def get(self, identity: str) -> None:
        """Compute a periodogram, by Lomb-Scargle or another method, and list its highest peaks."""
        await self.answer(identity, PERIODOGRAM, self._compute)

    def _compute(self, series: SeriesRecord, points: PointSelection, values: ParameterValues) -> _Computed:
        method, max_points = values["method"], values["maxPoints"]
        return self.services.analysis.periodogram(
            self.principal, series, points, _options(values), method=method, max_points=max_points
        )


class SourcePeriodogramHandler(BaseHandler):
    """The periodogram of the series of a source."""

    needs: ClassVar[Mapping[str, Requirement | None]] = {"GET": ANY}
    public: ClassVar[bool] = True

    @Contract(query=SOURCE_PERIODOGRAM, gives="SourcePeriodogram", fails=(DamagedError, LateError, BusyError))
    async def get(self, identity: str) -> None:
        """Search the visible series of a source for a common period, by multi-band Lomb-Scargle."""

        def find() -> ParameterValues:
            values = parameters.read(self.arguments(), SOURCE_PERIODOGRAM)
            self.services.accounts.get(self.principal, "sources", identity)
            self.weigh()
            return values

        def compute() -> SourcePeriodogram:
            return self.services.analysis.periodogram_of_source(
                self.principal,
                restricted_to_source(parameters.parse({"sortBy": ["id"]}), identity),
                PointSelection(mjd_min=values.get("mjdMin"), mjd_max=values.get("mjdMax")),
                _options(values),
                max_points=values["maxPoints"],
            )

        values = await self.run(find)
        async with self.shared.analyses.place(self.caller.key):
            await self.reply(compute, heavy=True)


class FoldedHandler(AnalysisHandler):
    """The folded light curve of a series."""

    @Contract(query=FOLDED, headers=(IF_NONE_MATCH,), gives="Folded", also=_UNCHANGED, fails=(DamagedError, BusyError))
    async def get(self, identity: str) -> None:
        """Fold the light curve on a period, and average it in phase bins."""
        await self.answer(identity, FOLDED, self._compute)

    def _compute(self, series: SeriesRecord, points: PointSelection, values: ParameterValues) -> _Computed:
        if "period" not in values:
            raise InvalidError.of_field("period", "Missing parameter 'period' (days), e.g. period=0.55.")
        return self.services.analysis.fold(
            self.principal,
            series,
            points,
            period=values["period"],
            epoch=values.get("epoch"),
            bins=values["bins"],
            max_points=values["maxPoints"],
        )


class EnvelopeHandler(AnalysisHandler):
    """The reduced light curve of a series, for clients that draw it."""

    @Contract(
        query=ENVELOPE, headers=(IF_NONE_MATCH,), gives="Envelope", also=_UNCHANGED, fails=(DamagedError, BusyError)
    )
    async def get(self, identity: str) -> None:
        """Return the light curve for a plot: its points, or minimum, median and maximum per time interval."""
        await self.answer(identity, ENVELOPE, self._compute, waits=False)

    def _compute(self, series: SeriesRecord, points: PointSelection, values: ParameterValues) -> _Computed:
        return self.services.analysis.envelope(
            self.principal,
            series,
            points,
            width=values["width"],
            max_points=values["maxPoints"],
            column=values.get("column"),
        )


class PlotHandler(AnalysisHandler):
    """The plot of a light curve."""

    media_type: ClassVar[str] = "image/png"

    @Contract(
        query=PLOT,
        headers=(IF_NONE_MATCH,),
        gives=Raw(("image/png",)),
        also=_UNCHANGED,
        fails=(DamagedError, NotInstalledError, BusyError),
    )
    async def get(self, identity: str) -> None:
        """Draw the light curve as PNG."""
        await self.answer(identity, PLOT, self._compute, self.media_type)

    def _compute(self, series: SeriesRecord, points: PointSelection, values: ParameterValues) -> _Computed:
        return self.services.analysis.plot(
            self.principal,
            series,
            points,
            size=(values["width"], values["height"]),
            theme=values["theme"],
            time=values["time"],
            form=self.media_type.partition("/")[2],
        )
