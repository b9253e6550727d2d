"""Bins of time, running medians and clipping, against loops over the definitions."""

import math

import numpy as np
import pandas as pd
import pytest

from photseries.errors import InvalidError
from photseries.lightcurve.binning import cleaned, far_from_median, running_median
from photseries.lightcurve.samples import Samples
from photseries.lightcurve.select import metadata_of_selection, select
from photseries.lightcurve.selection import Selection

NOISE = np.random.default_rng(8)
MJD = 59000.37 + np.sort(NOISE.uniform(0, 3, 400))
FRAME = pd.DataFrame({"mjd": MJD, "flux": 100 + NOISE.normal(0, 2, 400), "fluxerr": NOISE.uniform(1, 3, 400)})


def expected(frame, place, brightness="flux", error="fluxerr"):
    rows = []
    for number in sorted(set(place)):
        inside = frame[place == number]
        value, weight = inside[brightness].to_numpy(), inside[error].to_numpy() ** -2
        scatter = value.std(ddof=1) / math.sqrt(len(value)) if len(value) > 1 else np.nan
        mean, formal = np.average(value, weights=weight), 1 / math.sqrt(weight.sum())
        rows.append([inside["mjd"].mean(), mean, formal, scatter, len(value)])
    return pd.DataFrame(rows, columns=["mjd", brightness, error, f"{error}_scatter", "count"])


@pytest.mark.parametrize("width", [10 / 1440, 0.02, 0.3, 100.0])
def test_bins_are_weighted_means(width):
    shuffled = FRAME.sample(frac=1, random_state=1, ignore_index=True)
    place = np.floor((FRAME["mjd"] - math.floor(MJD[0])) / width)
    pd.testing.assert_frame_equal(select(shuffled, Selection(bin=width), {}), expected(FRAME, place), rtol=1e-11)


@pytest.mark.parametrize("longitude", [None, -70.4, 140.0])
def test_bins_can_be_nights(longitude):
    place = np.floor(FRAME["mjd"] + (longitude or 0) / 360 - 0.5)
    found = select(FRAME, Selection(bin="night"), {"longitude": longitude})
    pd.testing.assert_frame_equal(found, expected(FRAME, place), rtol=1e-11)
    assert 3 <= len(found) <= 5


def test_bins_without_errors_are_plain_means():
    found = select(FRAME[["mjd", "flux"]], Selection(bin=0.3), {})
    place = np.floor((FRAME["mjd"] - math.floor(MJD[0])) / 0.3)
    assert found["flux"].to_numpy() == pytest.approx(FRAME["flux"].groupby(place).mean().to_numpy(), rel=1e-12)
    assert found["fluxerr"].isna().all()


def test_flagged_rows_are_in_no_bin():
    flags = np.arange(400) % 2
    spoiled = FRAME.assign(flux=np.where(flags, 1e4, FRAME["flux"]), flags=flags)
    metadata = {"flag_column": "flags"}
    found = select(spoiled, Selection(bin=0.3), metadata)
    pd.testing.assert_frame_equal(found, select(FRAME[flags == 0], Selection(bin=0.3), {}), rtol=1e-12)
    assert metadata_of_selection(Selection(bin=0.3), metadata)["flag_column"] is None
    assert metadata_of_selection(Selection(columns=("mjd", "flags")), metadata)["flag_column"] == "flags"


def test_bins_support_further_columns():
    found = select(
        FRAME, Selection(bin=0.02, columns=("mjd",), derive=("snr", "mag"), max_points=10, mjd_min=59001.0), {}
    )
    assert list(found) == ["mjd", "snr", "mag"]
    assert len(found) <= 10
    assert found["mjd"].min() >= 59001
    assert found["mag"].to_numpy() == pytest.approx(18.9, abs=0.1)


def test_bins_of_flux_densities_are_in_microjansky():
    milli = FRAME.assign(flux=FRAME["flux"] / 1000, fluxerr=FRAME["fluxerr"] / 1000)
    found = select(milli, Selection(bin=0.3), {"flux_unit": "mJy"})
    pd.testing.assert_frame_equal(found, select(FRAME, Selection(bin=0.3), {}), rtol=1e-12)
    assert metadata_of_selection(Selection(bin=0.3), {"flux_unit": "mJy"})["flux_unit"] == "uJy"


def test_bins_of_magnitudes_are_of_magnitudes():
    frame = pd.DataFrame({"mjd": MJD, "mag": 15 + NOISE.normal(0, 0.1, 400), "magerr": 0.1})
    place = np.floor((frame["mjd"] - math.floor(MJD[0])) / 0.3)
    found = select(frame, Selection(bin=0.3), {"magsys": "vega"})
    pd.testing.assert_frame_equal(found, expected(frame, place, "mag", "magerr"), rtol=1e-11)


def test_a_running_median_is_of_the_values_around():
    value = FRAME["flux"].to_numpy().copy()
    value[::17] = np.nan
    shuffled = np.random.default_rng(2).permutation(400)
    found = running_median(MJD[shuffled], value[shuffled], 0.4)
    for row, time in zip(found, MJD[shuffled], strict=True):
        around = value[np.abs(MJD - time) <= 0.2]
        assert math.isnan(row) == math.isnan(value[time == MJD][0])
        assert math.isnan(row) or row == np.nanmedian(around)


def test_running_median_handles_absent_and_distant_times():
    assert np.isnan(running_median(np.array([np.nan]), np.array([1.0]), 1.0)).all()
    with pytest.raises(InvalidError, match="span more than"):
        running_median(np.array([0.0, 1.0, 100_000.1]), np.array([1.0, 2.0, 3.0]), 1.0)
    assert running_median(np.array([0.0, 1.0, 100_000.0]), np.array([1.0, 2.0, 3.0]), 1.0).tolist() == [1.0, 2.0, 3.0]


def test_detrended_and_clipped_columns():
    slow = 30 * np.sin(MJD)
    flux = 100 + slow + NOISE.normal(0, 1, 400)
    flux[50] += 15
    found = select(FRAME.assign(flux=flux), Selection(detrend=0.3, clip=6.0), {})
    assert list(found) == ["mjd", "flux", "fluxerr", "flux_trend", "flux_detrended", "clipped"]
    assert found["flux"].tolist() == flux.tolist()
    assert np.flatnonzero(found["clipped"]).tolist() == [50]
    assert np.delete(found["flux_detrended"].to_numpy(), 50).std() < 1.5
    assert found["flux_detrended"].median() == pytest.approx(np.median(found["flux_trend"]), abs=0.3)
    alone = select(FRAME.assign(flux=flux), Selection(clip=6.0), {})
    assert not alone["clipped"].any()


def test_clipping_uses_median_absolute_deviations():
    value = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 20.0, np.nan])
    assert far_from_median(value, 3.8).tolist() == [False] * 5 + [True, False]  # 16.5 from 3.5, MAD 1.5
    assert not far_from_median(value, 7.5).any()
    assert not far_from_median(np.array([np.nan]), 3).any()


def test_points_without_trend_and_outliers():
    mjd = 59000 + np.arange(400) / 20
    value = 100 + 0.05 * (mjd - 59010) + np.random.default_rng(8).normal(0, 0.1, 400)
    value[[50, 300]] += 20
    points = Samples("flux", mjd, value, np.full(400, 0.1), np.full(400, 1000.0))
    assert cleaned(points) is points
    flat = cleaned(points, detrend=2.0)
    trend = running_median(mjd, value, 2.0)
    np.testing.assert_allclose(flat.value, value - trend + np.median(trend))
    kept = cleaned(points, detrend=2.0, clip=10.0)
    assert sorted(set(range(400)) - set(np.searchsorted(mjd, kept.mjd))) == [50, 300]
    assert len(kept.error) == len(kept.snr) == len(kept.value) == 398
