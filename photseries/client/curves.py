"""Light curves as points to draw, in the terminal, with matplotlib, and as a small SVG."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from photseries.errors import InvalidError
from photseries.extras import needs
from photseries.lightcurve.calibration import Unit, calibration_of
from photseries.lightcurve.curve import good_rows, light_curve, require_derivable
from photseries.lightcurve.meaning import time_frame, time_label
from photseries.lightcurve.photometry import FloatArray
from photseries.lightcurve.samples import unit_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Curve", "curve_of", "draw", "svg"]

_WIDTH, _HEIGHT, _LEFT, _FOOT, _MARGIN = 520, 180, 64, 34, 8

#: Maximum number of points; more are reduced to the extremes of equal-sized groups.
_MAX_POINTS: Final = 1000

#: Maximum number of points with error bars, which would otherwise cover the points.
_FEW: Final = 1500


@dataclass(frozen=True)
class Curve:
    """Finite points, float64, shape (n,), and the labels of the axes.

    Attributes
    ----------
    mjd, value, error : ndarray
        [d], the unit of the label; the error is NaN where there is none.
    is_mag : bool
        Whether values grow downwards.
    label, time_label : str
    """

    mjd: FloatArray
    value: FloatArray
    error: FloatArray
    is_mag: bool
    label: str
    time_label: str


def curve_of(frame: pd.DataFrame, metadata: Mapping[str, Any], unit: Unit | None = None) -> Curve:
    """Return the points of a table that are finite and not flagged as bad.

    Parameters
    ----------
    frame : DataFrame
    metadata : mapping
        The fields of the series.
    unit : {"flux", "mag"}, optional
        Default: the brightness in the table.

    Raises
    ------
    InvalidError
        When the table does not have this brightness and it cannot be derived.
    """
    calibration = calibration_of(metadata)
    if unit not in (None, "flux", "mag"):
        raise InvalidError(f"Invalid unit: {unit!r:.60}. It must be flux or mag.")
    unit = unit or unit_of(frame, calibration)
    require_derivable((unit,), frame, calibration)
    curve = light_curve(frame, calibration).masked(good_rows(frame, metadata))
    is_mag = unit == "mag"
    value, error = (curve.mag, curve.magerr) if is_mag else (curve.flux, curve.fluxerr)
    finite = np.isfinite(curve.mjd) & np.isfinite(value)
    return Curve(
        curve.mjd[finite],
        value[finite],
        error[finite],
        is_mag,
        calibration.label(unit),
        time_label(time_frame(metadata)),
    )


def draw(curve: Curve, ax: Axes | None, title: str, style: Mapping[str, Any]) -> Axes:
    """Draw a curve with matplotlib; see :meth:`photseries.client.Series.plot`."""
    needs("matplotlib")
    import matplotlib.pyplot as plt

    axes = plt.subplots()[1] if ax is None else ax
    dots = {"marker": ".", "linestyle": "none", "label": title, **style}
    if len(curve.mjd) <= _FEW and np.isfinite(curve.error).any():
        axes.errorbar(curve.mjd, curve.value, curve.error, **dots)
    else:
        axes.plot(curve.mjd, curve.value, **dots)
    axes.ticklabel_format(axis="x", useOffset=False, style="plain")
    axes.set_xlabel(curve.time_label)
    axes.set_ylabel(curve.label)
    axes.set_title(title, parse_math=False)
    if curve.is_mag and not axes.yaxis_inverted():
        axes.invert_yaxis()
    return axes


def svg(curve: Curve) -> str:
    """Draw a curve as an SVG element that loads nothing; empty without points."""
    if not len(curve.mjd):
        return ""
    selected = _extremes(curve)
    x = _scaled(curve.mjd[selected], _LEFT, _WIDTH - _MARGIN)
    bottom, top = _HEIGHT - _FOOT, _MARGIN
    y = _scaled(curve.value[selected], *((top, bottom) if curve.is_mag else (bottom, top)))
    points = "".join(f"M{across:.1f} {down:.1f}h0" for across, down in zip(x, y, strict=True))
    ends = (curve.value.max(), curve.value.min()) if curve.is_mag else (curve.value.min(), curve.value.max())
    text = 'font-size="11" font-family="sans-serif" fill="currentColor"'
    label = escape(f"{curve.label}, {curve.time_label}, {len(curve.mjd):,} points")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" '
        f'role="img" aria-label="{label}">'
        f'<path d="M{_LEFT - 4} {top}V{bottom + 4}H{_WIDTH - _MARGIN}" fill="none" stroke="currentColor"/>'
        f'<path d="{points}" stroke="#1f5fa8" stroke-width="3" stroke-linecap="round" fill="none"/>'
        f'<text x="{_LEFT - 8}" y="{bottom}" text-anchor="end" {text}>{ends[0]:.5g}</text>'
        f'<text x="{_LEFT - 8}" y="{top + 9}" text-anchor="end" {text}>{ends[1]:.5g}</text>'
        f'<text x="{_LEFT}" y="{_HEIGHT - 14}" {text}>{curve.mjd.min():.4f}</text>'
        f'<text x="{_WIDTH - _MARGIN}" y="{_HEIGHT - 14}" text-anchor="end" {text}>{curve.mjd.max():.4f}</text>'
        f'<text x="{(_LEFT + _WIDTH) / 2}" y="{_HEIGHT - 2}" text-anchor="middle" {text}>{label}</text></svg>'
    )


def _extremes(curve: Curve) -> npt.NDArray[np.intp]:
    """Return the indices of the points to draw: the extremes of each of the equal-sized groups."""
    order = np.argsort(curve.mjd, kind="stable")
    if len(order) <= _MAX_POINTS:
        return order
    runs = np.array_split(order, _MAX_POINTS // 2)
    return np.array([run[argument(curve.value[run])] for run in runs for argument in (np.argmin, np.argmax)])


def _scaled(values: FloatArray, first: float, last: float) -> FloatArray:
    """Scale values to an axis of pixels; equal values are drawn in its middle."""
    minimum, span = values.min(), np.ptp(values)
    share = (values - minimum) / span if 0 < span < np.inf else np.full(len(values), 0.5)
    return np.asarray(first + share * (last - first))
