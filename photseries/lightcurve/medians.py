"""Medians, which are most of the time of the statistics of a long series."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from photseries.lightcurve.photometry import FloatArray

__all__ = ["least_median_greatest", "median"]


def median(values: npt.NDArray[np.number]) -> FloatArray:
    """Return the median along the last axis.

    numpy sorts with SIMD instructions, but :func:`numpy.median` selects two places without them: 2 to 4 times as long.

    Parameters
    ----------
    values : ndarray of number, shape (..., n)
        Finite.

    Returns
    -------
    ndarray of float64, shape (...)
        In the unit of the values; NaN when there are none.
    """
    return least_median_greatest(values)[1]


def least_median_greatest(values: npt.NDArray[np.number]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return three order statistics along the last axis; for values and results see :func:`median`."""
    size = values.shape[-1]
    if not size:
        none = np.full(values.shape[:-1], np.nan)
        return none, none, none
    ordered = np.sort(values, axis=-1)
    places = 0, (size - 1) // 2, size // 2, size - 1
    minimum, below, above, maximum = (np.asarray(ordered[..., place], np.float64) for place in places)
    return minimum, (below + above) / 2, maximum
