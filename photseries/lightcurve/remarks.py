"""What an uploader may want to know of a table that is valid, but perhaps not what was meant."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from photseries.lightcurve.curve import LightCurve, light_curve
from photseries.lightcurve.metadata import MAGNITUDES
from photseries.lightcurve.sky import separation, unit_vector
from photseries.lightcurve.table import (
    BRIGHTNESS,
    FLUX,
    SENTINEL_MAG,
    error_column,
    first_present,
    is_numeric,
    required_column,
)

__all__ = ["remarks"]

#: MJD 0 is 1858-11-17; as Julian dates, times of today begin with 24.
JULIAN = 2_400_000.5
#: Times of TESS (BTJD) and Kepler (BKJD) count from 2014-12-08 and 2009-01-01: in MJD these are the 1860s.
LEAST_MJD, MOST_MJD = 15_000.0, 100_000.0
#: Where magnitudes lie; fluxes that all lie there, close together, are rare.
USUAL_MAGNITUDES = (5.0, 30.0)
FAR = 60.0  # [arcsec]


def remarks(frame: pd.DataFrame, ra: float, dec: float, source: tuple[float, float] | None) -> list[str]:
    """Look at a table for signs of mistakes.

    Parameters
    ----------
    frame : DataFrame
        A table that :func:`~photseries.lightcurve.table.validate` accepts.
    ra, dec : float
        The position of the series [deg].
    source : pair of float, optional
        The position of its source [deg].

    Returns
    -------
    list of str
        A sentence each.
    """
    curve = light_curve(frame)
    found = [*_of_times(curve.mjd), *_of_brightness(frame, curve)]
    if source is not None:
        there, here = unit_vector(*source), unit_vector(ra, dec)
        distance = float(separation(float(np.linalg.norm(there - here))))
        if distance > FAR:
            found.append(f"The position is {distance:,.0f} arcsec from that of the source.")
    return found


def _of_times(mjd: np.ndarray) -> Iterator[str]:
    times = mjd[np.isfinite(mjd)]
    if len(times) < len(mjd):
        yield f"{len(mjd) - len(times):,} of {len(mjd):,} rows have no time."
    steps = np.diff(times)
    if (steps < 0).any():
        yield "The rows are not in the order of time; statistics are computed as if they were."
    repeated = len(times) - len(np.unique(times))
    if repeated:
        yield f"{repeated:,} rows repeat the time of another."
    middle = float(np.median(times))
    if middle > JULIAN:
        yield f"The times look like Julian dates; MJD = JD - {JULIAN}."
    elif middle < LEAST_MJD:
        yield (
            "The times are of before 1900, if they are MJD. TESS counts from BJD 2457000 (MJD = BTJD + 56999.5), "
            "Kepler from BJD 2454833 (MJD = BKJD + 54832.5)."
        )
    elif middle > MOST_MJD:
        yield "The times are of after 2130, if they are MJD."


def _of_brightness(frame: pd.DataFrame, curve: LightCurve) -> Iterator[str]:
    brightness = required_column(frame, BRIGHTNESS)
    missing = int((~np.isfinite(frame[brightness].to_numpy())).sum())
    if missing:
        yield f"{missing:,} of {len(frame):,} rows have no brightness."
    yield from _of_sentinels(frame)
    error = error_column(frame, brightness)
    useless = 0 if error is None else int((frame[error].to_numpy() <= 0).sum())
    if useless:
        yield f"{useless:,} of {len(frame):,} errors in the column {error!r} are zero or negative and count as absent."
    name = first_present(frame, FLUX)
    flux = curve.flux[np.isfinite(curve.flux)]
    if name is not None and flux.size > 1:
        low, high = np.quantile(flux, (0.01, 0.99))
        if USUAL_MAGNITUDES[0] < low and high < USUAL_MAGNITUDES[1] and high - low < USUAL_MAGNITUDES[1] / 5:
            yield f"The column {name!r} is read as flux in uJy, but its values look like magnitudes."
    if not np.isfinite(curve.fluxerr).any() and not np.isfinite(curve.magerr).any():
        yield "There are no errors; the noise is estimated from the differences of successive fluxes."


def _of_sentinels(frame: pd.DataFrame) -> Iterator[str]:
    for name in frame.columns:
        if name in MAGNITUDES and is_numeric(frame[name]):
            values = frame[name].to_numpy().astype(np.float64)
            count = int((np.isfinite(values) & (np.abs(values) >= SENTINEL_MAG)).sum())
            if count:
                yield (
                    f"{count:,} of {len(values):,} values in the column {name!r} are {SENTINEL_MAG:g} mag or more, or "
                    f"-{SENTINEL_MAG:g} or less; they are stored and count as absent."
                )
