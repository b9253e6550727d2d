"""The brightness axes that a page can show for series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from photseries.lightcurve.calibration import Unit, calibration_of
from photseries.lightcurve.meaning import time_frame, time_scale

__all__ = ["BrightnessAxis", "axes_of", "frame_of"]


@dataclass(frozen=True)
class BrightnessAxis:
    """An axis of fluxes in one unit, or of magnitudes in one system.

    Attributes
    ----------
    value : str
        For a choice in a form: ``flux`` and ``mag`` are uJy and AB.
    brightness : {"flux", "mag"}
    label : str
    caption : str
        The label in short.
    """

    value: str
    brightness: Unit
    label: str
    caption: str


def frame_of(fields: Mapping[str, object]) -> dict[str, str]:
    """Return the name of the times of a series, and their scale."""
    return {"frame": time_frame(fields), "scale": time_scale(fields).replace("UNKNOWN", "scale unknown")}


def axes_of(fields: Mapping[str, object]) -> list[BrightnessAxis]:
    """Return the axes on which a series can be shown, magnitudes first."""
    calibration = calibration_of(fields)
    axes = []
    if calibration.converts or fields["mean_mag"] is not None:
        axes.append(_axis("mag", calibration.label("mag"), "" if calibration.magsys == "ab" else calibration.magsys))
    if calibration.converts or fields["mean_flux"] is not None:
        axes.append(_axis("flux", calibration.label("flux"), "" if calibration.unit == "uJy" else calibration.unit))
    return axes


def _axis(brightness: Unit, label: str, unusual: str) -> BrightnessAxis:
    """Return an axis; the axis of uJy or AB is named after the brightness alone."""
    if unusual:
        return BrightnessAxis(f"{brightness}-{unusual}", brightness, label, label)
    return BrightnessAxis(brightness, brightness, label, {"flux": "Flux", "mag": "Magnitude"}[brightness])
