"""The search for periods: its grid, what it refuses, and the samples that it works on."""

import math
import sys

import numpy as np
import pandas as pd
import pytest

from photseries.errors import InvalidError
from photseries.lightcurve.periodogram import SearchOptions, choose_grid, search_periods
from photseries.lightcurve.samples import samples
from tests.lightcurve.test_lomb_scargle import observed


@pytest.mark.parametrize(
    ("mjd", "value", "message"),
    [
        ([1, 2, 3, 4], [1, 2, 3, 4], "at least 5 points"),
        ([1] * 9, range(9), "more than one time"),
        (range(9), [7.7] * 9, "does not vary"),
    ],
)
def test_unsuitable_series_have_no_periodogram(mjd, value, message):
    with pytest.raises(InvalidError, match=message):
        search_periods(np.array(mjd, float), np.array(value, float), None, SearchOptions(min_period=0.5))


def test_default_grid_covers_the_range():
    mjd, _, _ = observed()
    span = mjd[-1] - mjd[0]
    chosen, needed = choose_grid(mjd, SearchOptions(0.5, None, 5, 10_000))
    assert chosen.first == pytest.approx(1 / span)
    assert 0.199 / span < chosen.step <= 0.2 / span
    assert chosen.last == pytest.approx(2, rel=1e-14), "the whole range is searched"
    assert needed == chosen.count
    assert choose_grid(mjd, SearchOptions(1.99, 2, 5, 10_000))[0].count == 2
    chosen, needed = choose_grid(mjd, SearchOptions(None, 2, 5, 300))
    assert chosen.step == pytest.approx(0.2 / span)
    assert chosen.count == 300, "what is not asked for is what is allowed"
    assert needed > 300
    with pytest.raises(InvalidError, match="frequencies, and 300 are allowed"):
        choose_grid(mjd, SearchOptions(0.5, None, 5, 300))
    with pytest.raises(InvalidError, match="minPeriod must be below"):
        choose_grid(mjd, SearchOptions(3, 2, 5, 300))
    for period in (1e-9, 1e-320):
        with pytest.raises(InvalidError, match="frequencies, and"):
            choose_grid(mjd, SearchOptions(period, None, 50, 2_000_000))
    chosen, needed = choose_grid(np.array([0, 5e-324, 1e-323, 1, 2]), SearchOptions(None, None, 5, 1000))
    assert needed > chosen.count == 1000


def test_truncated_default_grid_is_reported():
    mjd = 59000 + np.arange(1000) / 100  # regular: the shortest period is 0.02 d, and the longest 9.99 d
    value = np.sin(2 * np.pi * mjd / 0.7)
    # 1 + (50 - 1 / 9.99) 5 9.99 = 2493.5
    whole = search_periods(mjd, value, None, SearchOptions(max_frequencies=2494))
    assert (whole.limited, whole.warnings, whole.grid.count) == (False, [], 2494)
    cut = search_periods(mjd, value, None, SearchOptions(max_frequencies=500))
    assert cut.limited
    assert cut.grid.count == 500
    (warning,) = cut.warnings
    assert "needs 2,494 frequencies, and 500 are allowed" in warning
    assert "Periods below 0.0991071 d were not searched" in warning  # 1 / (1 / 9.99 + 499 / (5 9.99))
    assert cut.peaks[0].period == pytest.approx(0.7, rel=1e-3)


def test_without_finufft_the_search_finds_the_same(monkeypatch):
    mjd, value, error = observed()
    found = search_periods(mjd, value, error, SearchOptions(min_period=0.1))
    monkeypatch.setitem(sys.modules, "finufft", None)
    plain = search_periods(mjd, value, error, SearchOptions(min_period=0.1))
    np.testing.assert_allclose(plain.power, found.power, atol=1e-9)
    for one, other in zip(plain.peaks, found.peaks, strict=True):
        assert one.period == pytest.approx(other.period, rel=1e-7)
        assert one.power == pytest.approx(other.power, abs=1e-9)


def test_the_samples_of_a_table():
    frame = pd.DataFrame(
        {
            "mjd": [3.0, 1.0, 2.0, math.nan, 5.0, 4.0],
            "flux": [10.0, 30.0, math.nan, 1.0, 7.0, -5.0],
            "fluxerr": [1.0, math.nan, 1.0, 1.0, 3.0, 1.0],
            "quality": [0, 0, 0, 0, 4, 0],
            "night": list("abcdef"),
        }
    )
    points = samples(frame, "flux")
    assert points.mjd.tolist() == [1, 3, 4, 5]
    assert points.value.tolist() == [30, 10, -5, 7]
    assert points.error.tolist() == [1, 1, 1, 3], "an error that is missing is the median one"
    assert samples(frame, "flux", quality="quality", mjd_min=2).mjd.tolist() == [3, 4]
    assert samples(frame, "mag").mjd.tolist() == [1, 3, 5], "a negative flux has no magnitude"
    assert samples(frame[["mjd", "flux"]], "flux").error is None
    for column in ("night", "qualities"):
        with pytest.raises(InvalidError, match="no column of numbers"):
            samples(frame, "flux", quality=column)
    with pytest.raises(InvalidError, match="No row of this series"):
        samples(frame, "flux", mjd_min=6)
