"""Few points of a long series, for plots: never more than are asked for, nor far fewer, and what stands out stays."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photseries.lightcurve.select import minmax_decimate, select
from photseries.lightcurve.selection import Selection

TIMES = st.one_of(
    st.floats(-1e9, 1e9),
    st.sampled_from([58000.5, 58000.5000001, 58030.0, 5e-324, np.nan]),
)
FLUXES = st.one_of(st.floats(-1e30, 1e30), st.sampled_from([1.0, -0.0, np.nan, np.inf]))
ROWS = st.lists(st.tuples(TIMES, FLUXES), min_size=1, max_size=200)


def decimated(frame, most):
    return select(frame, Selection(max_points=most), {})


@given(rows=ROWS, most=st.integers(4, 60))
def test_decimation_keeps_extremes_within_the_limit(rows, most):
    frame = pd.DataFrame(rows, columns=["mjd", "flux"])
    frame["row"] = np.arange(len(frame))
    plotted = frame[np.isfinite(frame["mjd"]) & np.isfinite(frame["flux"])]
    if plotted.empty:
        return
    few = decimated(frame, most)
    assert min(len(plotted), most / 2) <= len(few) <= most
    assert few["row"].is_monotonic_increasing
    assert few["row"].is_unique
    assert few.equals(frame.iloc[few["row"]].reset_index(drop=True))
    for column in ("mjd", "flux"):
        assert few[column].min() == plotted[column].min()
        assert few[column].max() == plotted[column].max()


@pytest.mark.parametrize(
    "mjd",
    [
        np.full(3000, 58000.5),
        np.repeat([58000.5, 58001.5], 1500),
        np.r_[np.linspace(58000, 58000.4, 2997), 58010, 58020, 58030],
        np.arange(3000) * 5e-324,
        np.geomspace(1e-300, 1e300, 3000),
    ],
    ids=["one time", "two times", "one night and three", "times next to each other", "times of all sizes"],
)
def test_decimation_of_uneven_times_keeps_the_number_of_rows(mjd):
    frame = pd.DataFrame({"mjd": mjd, "flux": np.random.default_rng(1).normal(size=len(mjd))})
    few = decimated(frame, 1000)
    assert len(few) == 1000
    assert few["mjd"].iloc[[0, -1]].tolist() == [mjd[0], mjd[-1]]


def test_constant_values_give_one_row_per_bin():
    assert minmax_decimate(np.ones(100), 10).tolist() == [0, 20, 40, 60, 80]
