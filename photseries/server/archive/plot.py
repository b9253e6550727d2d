"""A light curve as a PNG, for notebooks, reports and previews; matplotlib is imported on first use."""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from photseries.errors import InvalidError, NotInstalledError
from photseries.lightcurve.meaning import time_label
from photseries.lightcurve.photometry import FloatArray
from photseries.lightcurve.samples import Samples

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["png"]

_DPI = 100
_UNIX = 40587  # MJD of 1970-01-01, the epoch of matplotlib's dates

#: Larger values leave no room for margins and ticks.
_MAX_VALUE = 1e100

#: The times that matplotlib can show as dates, with a margin: the years 217 to 9524 [MJD].
_DATES = (-600_000, 2_800_000)

#: Times between these are written without an offset; others would have too many digits.
_WRITTEN = (1e-9, 1e9)

#: More points than this are drawn smaller and without error bars.
_FEW = 1500

_THEMES: Mapping[str, Mapping[str, str]] = {
    "light": {"back": "#ffffff", "ink": "#1b2027", "soft": "#5b6470", "grid": "#e6e9ec", "points": "#1f5fa8"},
    "dark": {"back": "#1b1f24", "ink": "#e6e8eb", "soft": "#a0a8b2", "grid": "#2d333a", "points": "#7fb2ee"},
}

#: Metadata that would make the bytes of equal pictures differ.
_UNDATED: Mapping[str, Mapping[str, None]] = {"png": {"Software": None}, "pdf": {"CreationDate": None}}

#: Text layout uses caches that are not safe for threads.
_DRAWING = threading.Lock()


def png(  # noqa: PLR0913  what is drawn, and how
    points: Samples,
    *,
    title: str,
    subtitle: str,
    label: str,
    size: tuple[int, int],
    theme: str,
    time: str,
    threshold: float,
    frame: str = "MJD",
    form: str = "png",
) -> bytes:
    """Draw a light curve.

    Parameters
    ----------
    points : Samples
        In magnitudes the axis is inverted.
    title, subtitle, label : str
        Printed unchanged; ``label`` is that of the brightness axis.
    size : (int, int)
        Width and height [pixels].
    theme : {"light", "dark"}
    time : {"mjd", "days", "date"}
        The format of the time axis.
    threshold : float
        A point is detected when its S/N is above this.
    frame : str
        The name of the times, such as ``BJD (TDB)``.
    form : {"png", "pdf"}

    Returns
    -------
    bytes
        Deterministic.

    Raises
    ------
    InvalidError
        When the points are outside the range of an axis.
    NotInstalledError
        When matplotlib is not installed.
    """
    _check(points, time)
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise NotInstalledError(
            "This service cannot make pictures, because matplotlib is not installed. Ask the operator to install it: "
            "pip install 'photseries[server,plots]'."
        ) from error
    colours = _THEMES[theme]
    with _DRAWING:
        width, height = size
        figure = Figure(
            figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor=colours["back"], layout="constrained"
        )
        axes = figure.add_subplot(facecolor=colours["back"])
        position, of_time = _position(points.mjd, time, frame)
        _draw(axes, points, position, colours)
        _dress(axes, position, (of_time, label), colours)
        _fit(axes, points, threshold)
        if time == "date":
            axes.xaxis_date()
        share = max(12, width // 18)  # number of characters that fit half of the width
        colour, words = colours["ink"], _truncate(title, share)
        axes.set_title(words, loc="left", fontsize=12, fontweight="bold", color=colour, parse_math=False)
        axes.set_title(_truncate(subtitle, share), loc="right", fontsize=9, color=colours["soft"], parse_math=False)
        drawn = io.BytesIO()
        figure.savefig(drawn, format=form, metadata=_UNDATED[form])
    return drawn.getvalue()


def _check(points: Samples, time: str) -> None:
    """Refuse points outside the range of an axis."""
    first, last = points.mjd[[0, -1]]
    values = "magnitudes" if points.unit == "mag" else "fluxes"
    for quantity, extreme in {"times": max(-first, last), values: np.abs(points.value).max()}.items():
        if extreme > _MAX_VALUE:
            raise InvalidError(
                f"The {quantity} reach beyond {_MAX_VALUE:g}, which no picture can show: "
                "request a part (mjdMin, mjdMax)."
            )
    if time == "date" and not _DATES[0] <= first <= last <= _DATES[1]:
        message = f"Only times from MJD {_DATES[0]} to {_DATES[1]} can be shown as dates: use time=mjd."
        raise InvalidError.of_field("time", message)


def _position(mjd: FloatArray, time: str, frame: str) -> tuple[FloatArray, str]:
    """Return the positions of times on the axis, and the axis label."""
    match time:
        case "days":
            start = math.floor(mjd[0])
            return mjd - start, f"days since MJD {start:.15g}" + ("" if frame == "MJD" else f", {frame}")
        case "date":
            return mjd - _UNIX, "date"
        case _:
            return mjd, time_label(frame)


def _draw(axes: Axes, points: Samples, position: FloatArray, colours: Mapping[str, str]) -> None:
    few = len(position) <= _FEW
    size, alpha = (4.0, 0.9) if few else (2.0, max(0.25, 0.8 - 0.1 * math.log10(len(position) / _FEW)))
    style: dict[str, Any] = {"color": colours["points"], "linestyle": "none", "alpha": alpha, "markeredgewidth": 0}
    if few and points.error is not None:
        axes.errorbar(
            position,
            points.value,
            np.minimum(points.error, _MAX_VALUE),
            fmt="o",
            markersize=size,
            elinewidth=0.8,
            **style,
        )
    else:
        axes.plot(position, points.value, marker="o" if few else ".", markersize=size, **style)


def _dress(axes: Axes, position: FloatArray, labels: tuple[str, str], colours: Mapping[str, str]) -> None:
    axes.set_xlabel(labels[0], color=colours["soft"])
    axes.set_ylabel(labels[1], color=colours["soft"])
    axes.tick_params(colors=colours["soft"], labelsize=9, length=3)
    is_plain = _WRITTEN[0] < np.abs(position).max() < _WRITTEN[1]
    axes.ticklabel_format(useOffset=False, style="plain" if is_plain else "sci", axis="x")
    axes.grid(color=colours["grid"], linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(colours["grid"])
    axes.margins(x=0.02)


def _fit(axes: Axes, points: Samples, threshold: float) -> None:
    """Fit the axis to the points and, up to the width of their range, their error bars.

    Undetected magnitudes are ignored, because they scatter widely.
    """
    value, error = points.value, points.error
    if points.unit == "mag" and points.snr is not None and not np.all(faint := points.snr <= threshold):
        value, error = value[~faint], None if error is None else error[~faint]
    low, high = float(value.min()), float(value.max())
    if error is not None and len(points.mjd) <= _FEW:
        size = np.minimum(error, high - low or _MAX_VALUE)
        low, high = float((value - size).min()), float((value + size).max())
    margin = 0.08 * (high - low) or abs(low) * 0.01 or 1.0
    ends = (high + margin, low - margin) if points.unit == "mag" else (low - margin, high + margin)
    axes.set_ylim(*ends)


def _truncate(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
