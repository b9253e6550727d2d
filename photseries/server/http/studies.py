"""The handlers of what is computed from one series: its periodogram, its folded light curve, its picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import orjson
import pandas as pd

from photseries import __version__, parameters
from photseries.errors import DamagedError, InvalidError, LateError, NotInstalledError
from photseries.lightcurve import folding
from photseries.lightcurve.cutting import extremes
from photseries.lightcurve.peaks import peaks
from photseries.lightcurve.periodogram import grid, periodogram
from photseries.lightcurve.samples import Samples, samples, unit_of
from photseries.parameters import FOLDED, PERIODOGRAM, PICTURE, Parameter
from photseries.server import pictures
from photseries.server.http.base import ANY, BaseHandler
from photseries.server.http.contract import IF_NONE_MATCH, Contract, Raw
from photseries.server.http.series import number_of
from photseries.server.http.tags import is_known, may_be_kept, tag_of

__all__ = ["FoldedHandler", "PeriodogramHandler", "PictureHandler"]

_STILL = {304: "It is still as If-None-Match says."}


class StudyHandler(BaseHandler):
    """What is computed from the table of a series, and stays the same until that changes."""

    needs: ClassVar[Mapping[str, str | None]] = {"GET": ANY}
    public: ClassVar[bool] = True
    parameters: ClassVar[Sequence[Parameter]] = ()
    media_type: ClassVar[str] = "application/json; charset=UTF-8"

    def study(self, frame: pd.DataFrame, fields: Mapping[str, Any], asked: Mapping[str, Any]) -> bytes:
        """Compute the answer; called in a thread."""
        raise NotImplementedError

    async def send(self, identity: str) -> None:
        """Compute, unless the client has the answer already; few at once, so that others come to their tables."""

        def work() -> tuple[str, bytes | None]:
            series_id = number_of(identity)
            asked = parameters.read(self.arguments(), self.parameters)
            found, content = self.services.archive.study(
                self.principal,
                series_id,
                lambda seen: is_known(self.request.headers, tag_of(seen, "study")),
                lambda frame, fields: self.study(frame, fields, asked),
            )
            return tag_of(found, "study"), content

        async with self.shared.studies:
            tag, content = await self.run(work, heavy=True)
        may_be_kept(self, tag)
        if content is None:
            self.set_status(304)
        else:
            self.set_header("Content-Type", self.media_type)
        self.finish(content)


class PeriodogramHandler(StudyHandler):
    """The periodogram of a series."""

    needs: ClassVar = {"GET": ANY}
    parameters: ClassVar = PERIODOGRAM

    @Contract(
        query=PERIODOGRAM,
        headers=(IF_NONE_MATCH,),
        gives="Periodogram",
        also=_STILL,
        fails=(DamagedError, NotInstalledError, LateError),
    )
    async def get(self, identity: str) -> None:
        """Compute the Lomb-Scargle periodogram, and list its highest peaks."""
        await self.send(identity)

    def study(self, frame: pd.DataFrame, fields: Mapping[str, Any], asked: Mapping[str, Any]) -> bytes:
        """Compute the answer."""
        limits = self.services.config.periodogram
        points = _points(frame, asked)
        frequencies = grid(
            points, asked.get("minPeriod"), asked.get("maxPeriod"), asked["samplesPerPeak"], limits.frequencies
        )
        power = periodogram(points, frequencies, limits.deadline)
        shown = extremes(power, asked["maxPoints"])
        return _answer(
            {
                **_about(points),
                "min_period": 1 / frequencies.last,
                "max_period": 1 / frequencies.first,
                "num_frequencies": frequencies.count,
                "peaks": peaks(power, frequencies, points, asked["peaks"]),
                "frequency": frequencies.first + frequencies.step * shown,
                "power": power[shown],
            }
        )


class FoldedHandler(StudyHandler):
    """The light curve of a series, folded."""

    needs: ClassVar = {"GET": ANY}
    parameters: ClassVar = FOLDED

    @Contract(query=FOLDED, headers=(IF_NONE_MATCH,), gives="Folded", also=_STILL, fails=(DamagedError,))
    async def get(self, identity: str) -> None:
        """Fold the light curve on a period, and average it in parts of that."""
        await self.send(identity)

    def study(self, frame: pd.DataFrame, fields: Mapping[str, Any], asked: Mapping[str, Any]) -> bytes:
        """Compute the answer."""
        if "period" not in asked:
            message = "Which period? It is missing: period=0.55, in days."
            raise InvalidError(message, fields={"period": [message]})
        points = _points(frame, asked)
        epoch = asked.get("epoch", float(points.mjd[0]))
        phase = folding.phases(points.mjd, asked["period"], epoch)
        some = slice(None, None, -(-len(phase) // asked["maxPoints"]))
        return _answer(
            {
                **_about(points),
                "period": asked["period"],
                "epoch": epoch,
                "phase": phase[some],
                "mjd": points.mjd[some],
                "value": points.value[some],
                "error": None if points.error is None else points.error[some],
                "bins": folding.binned(points, phase, asked["bins"]),
            }
        )


class PictureHandler(StudyHandler):
    """A picture of a light curve."""

    needs: ClassVar = {"GET": ANY}
    parameters: ClassVar = PICTURE
    media_type: ClassVar = "image/png"

    @Contract(
        query=PICTURE,
        headers=(IF_NONE_MATCH,),
        gives=Raw(("image/png",)),
        also=_STILL,
        fails=(DamagedError, NotInstalledError),
    )
    async def get(self, identity: str) -> None:
        """Draw the light curve, as PNG."""
        await self.send(identity)

    def study(self, frame: pd.DataFrame, fields: Mapping[str, Any], asked: Mapping[str, Any]) -> bytes:
        """Draw the picture."""
        return pictures.png(
            _points(frame, asked),
            title=str(fields["obj_id"]),
            subtitle=f"{fields['series_name']}, {fields['filter']}",
            size=(asked["width"], asked["height"]),
            theme=asked["theme"],
            time=asked["time"],
        )


def _points(frame: pd.DataFrame, asked: Mapping[str, Any]) -> Samples:
    return samples(
        frame,
        asked.get("brightness") or unit_of(frame),
        quality=asked.get("quality"),
        mjd_min=asked.get("mjdMin"),
        mjd_max=asked.get("mjdMax"),
    )


def _about(points: Samples) -> dict[str, Any]:
    return {"brightness": points.unit, "num_points": len(points.mjd), "weighted": points.error is not None}


def _answer(data: Mapping[str, Any]) -> bytes:
    """Wrap numbers in the envelope of a success; NaN becomes null."""
    return orjson.dumps(
        {"status": "success", "data": data, "version": __version__},
        option=orjson.OPT_SERIALIZE_NUMPY,
        default=np.ndarray.tolist,
    )
