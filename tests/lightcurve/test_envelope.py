"""The light curve for a plot, held against numpy."""

import numpy as np
import pytest

from photseries.lightcurve.curve import LightCurve
from photseries.lightcurve.envelope import DETECTED, FLAGGED, UNDETECTED, UNKNOWN, envelope, plot_values

NOISE = np.random.default_rng(22)
MJD = 59000 + np.sort(NOISE.uniform(0, 10, 4000))
VALUE = 100 + 10 * np.sin(MJD) + NOISE.normal(0, 1, len(MJD))
ERROR = np.full(len(MJD), 1.5)


def kinds(*flagged):
    kind = np.zeros(len(MJD), np.int64)
    kind[list(flagged)] = FLAGGED
    return kind


def test_columns_have_the_least_the_median_and_the_greatest():
    shown = envelope(MJD, VALUE, ERROR, kinds(), width=40, max_points=100)
    assert shown.points is None
    (columns,) = shown.columns
    edges = np.linspace(MJD[0], MJD[-1], 41)
    place = np.clip(np.digitize(MJD, edges[1:-1]), 0, 39)
    for number, low, median, high, count in zip(
        columns.column, columns.low, columns.median, columns.high, columns.count, strict=True
    ):
        values = VALUE[place == number]
        assert (low, median, high) == pytest.approx((values.min(), np.median(values), values.max()), rel=1e-6)
        assert count == len(values)
    assert columns.count.sum() == shown.num_points == len(MJD)


def test_the_median_of_a_full_column_is_near_that_of_all_its_points():
    mjd = np.linspace(0, 1, 200_000)
    value = NOISE.normal(0, 1, len(mjd))
    (columns,) = envelope(mjd, value, value, np.zeros(len(mjd), np.int64), width=10, max_points=100).columns
    assert np.abs(columns.median).max() < 0.3, "of 255 values it is within 4 errors of 1.25 / sqrt(255)"


def test_few_points_are_returned_unreduced():
    value = np.where(np.arange(len(MJD)) % 2, VALUE, np.nan)
    shown = envelope(MJD, value, ERROR, kinds(), width=40, max_points=5000)
    assert shown.columns == []
    np.testing.assert_array_equal(shown.points.mjd, MJD[1::2])
    np.testing.assert_allclose(shown.points.value, VALUE[1::2], rtol=1e-6)


def test_flagged_points_are_apart_and_do_not_stretch_the_axis():
    value = VALUE.copy()
    value[[7, 1000]] = 1e6, -1e6
    shown = envelope(MJD, value, ERROR, kinds(7, 1000), width=40, max_points=100)
    assert [one.kind for one in shown.columns] == [DETECTED, FLAGGED]
    assert shown.columns[1].count.tolist() == [1, 1]
    assert shown.counts == {"detected": 3998, "undetected": 0, "unknown": 0, "flagged": 2}
    assert VALUE.min() <= shown.robust[0] < shown.robust[1] <= VALUE.max()
    assert shown.full == (-1e6, 1e6)
    assert (shown.median, shown.error) == (pytest.approx(np.median(np.delete(value, [7, 1000]))), 1.5)


def test_an_outlier_does_not_stretch_the_axis_and_a_transit_fits():
    flux = 1 + NOISE.normal(0, 1e-4, 2000)
    flux[500:540] -= 0.01
    flux[1500] = 1.5
    shown = envelope(np.arange(2000.0), flux, flux, np.zeros(2000, np.int64), width=40, max_points=100)
    assert shown.robust[0] < 0.9901
    assert shown.robust[1] < 1.01


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # The central 98 percent are 10 to 989; three tenths of their range more is beyond the data.
        (np.arange(1000.0), (0.0, 999.0)),
        (np.array([-5000.0, *range(1, 999), 5000.0]), (10 - 0.3 * 979, 989 + 0.3 * 979)),
        (np.array([-5000.0, -4000.0, *range(12), 4000.0, 5000.0]), (-0.3 * 11, 11 + 0.3 * 11)),  # two at each end
        (np.array([-5000.0, *range(7), 5000.0]), (-5000.0, 5000.0)),
    ],
)
def test_the_range_without_outliers(values, expected):
    values = np.random.default_rng(1).permutation(values)
    mjd = np.arange(float(len(values)))
    shown = envelope(mjd, values, values, np.zeros(len(values), np.int64), width=40, max_points=5000)
    assert shown.robust == pytest.approx(expected)


@pytest.mark.parametrize("between", [(59002, 59003), (60000, 60001), (59005.00001, 59005.00002)])
def test_range_with_few_or_no_points_is_plotted(between):
    rows = (between[0] <= MJD) & (between[1] >= MJD)
    shown = envelope(
        MJD[rows],
        VALUE[rows],
        ERROR[rows],
        kinds()[rows],
        width=40,
        max_points=10,
        mjd_min=between[0],
        mjd_max=between[1],
    )
    assert (shown.num_points, shown.start) == (rows.sum(), between[0])


def test_rows_are_classified_with_upper_limits():
    flux = np.array([100.0, 1.0, -5.0, 50.0, 100.0])
    fluxerr = np.array([1.0, 2.0, 2.0, np.nan, 1.0])
    with np.errstate(all="ignore"):
        mag, magerr = 23.9 - 2.5 * np.log10(flux), 1.0857 * fluxerr / flux
    curve = LightCurve(np.arange(5.0), flux, fluxerr, mag, magerr)
    snr = np.array([100, 0.5, -2.5, np.nan, 100])
    flagged = np.array([False, False, False, False, True])
    value, error, kind = plot_values(curve, snr, flagged, "mag", 3.0)
    assert kind.tolist() == [DETECTED, UNDETECTED, UNDETECTED, UNKNOWN, FLAGGED]
    limit = 23.9 - 2.5 * np.log10(3 * 2.0)
    np.testing.assert_allclose(value, [mag[0], limit, limit, mag[3], mag[4]])
    assert np.isnan(error[1:3]).all()
    assert plot_values(curve, snr, flagged, "flux", 3.0)[0] is flux, "fluxes are what they are"
