from __future__ import annotations

import dataclasses
import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from photseries.lightcurve.curve import light_curve
from photseries.lightcurve.metadata import infer
from photseries.lightcurve.photometry import flux_to_mag, mag_to_flux
from photseries.lightcurve.statistics import robust, summarize

COLUMNS = ("medians", "minima", "maxima", "stds")
DATA = Path(__file__).parent.parent / "data"
EXACT: dict[str, Any] = {"rel": 1e-12, "abs": 0.0}


def series(flux, mjd=None, **columns):
    mjd = np.arange(len(flux), dtype=float) + 59000.0 if mjd is None else mjd
    return pd.DataFrame({"mjd": mjd, "flux": flux, **columns})


def plain(value):
    """Fail unless JSON takes the value without NaN and infinities, and its types are Python's own."""
    if isinstance(value, dict):
        assert all(type(key) is str for key in value)
        return [plain(item) for item in value.values()]
    assert type(value) in (int, float, bool, type(None))
    return json.dumps(value, allow_nan=False)


def clipped(values):
    """Sigma clipping written a second time: a loop, plain and slow."""
    values = [value for value in values if math.isfinite(value)]
    centre, scatter = np.median(values), np.std(values)
    if len(values) < 5:
        return centre, scatter
    for _ in range(3):
        kept = [value for value in values if scatter == 0 or abs(value - centre) / scatter <= 3]
        if len(kept) == len(values):
            break
        values, centre, scatter = kept, np.mean(kept), np.std(kept)
    return centre, scatter


def assert_as_skyportal(frame, mags, fluxes, noise):
    """Compare with SkyPortal's formulas, S/N apart, for rows sorted by mjd and finite where they are not NaN."""
    summary = summarize(frame)
    mjd = frame["mjd"].to_numpy(np.float64)
    robust_mag, robust_rms = clipped(mags)
    robust_flux, robust_rms_flux = clipped(fluxes)
    steps = np.abs(np.diff(fluxes[np.isfinite(fluxes)]))
    snr = fluxes / np.where(np.isnan(noise), 1.4826 * np.median(steps) / np.sqrt(2), noise)
    detected = np.flatnonzero(snr > 3)
    expected = {
        "num_exp": len(mjd),
        "num_flagged": 0,
        "num_detected": len(detected),
        "mean_flux": np.nanmean(fluxes),
        "rms_flux": np.nanstd(fluxes),
        "robust_flux": robust_flux,
        "robust_rms_flux": robust_rms_flux,
        "mjd_first": mjd[0],
        "mjd_mid": (mjd[0] + mjd[-1]) / 2,
        "mjd_last": mjd[-1],
        "mag_first": None if np.isnan(mags[0]) else mags[0],
        "mag_last": None if np.isnan(mags[-1]) else mags[-1],
        "mjd_last_detected": mjd[detected[-1]],
        "mag_last_detected": mags[detected[-1]],
        "is_detected": True,
        "mean_mag": np.nanmean(mags),
        "rms_mag": np.nanstd(mags),
        "robust_mag": robust_mag,
        "robust_rms": robust_rms,
        "median_snr": np.nanmedian(snr),
        "best_snr": np.nanmax(snr),
        "worst_snr": np.nanmin(snr),
        "frame_rate": 1 / (np.nanmedian(np.diff(mjd)) * 24 * 3600),
    }
    columns = {name: column.to_numpy(np.float64) for name, column in frame.items()}
    expected_columns = {
        "medians": {name: np.nanmedian(column) for name, column in columns.items()},
        "minima": {name: np.nanmin(column) for name, column in columns.items()},
        "maxima": {name: np.nanmax(column) for name, column in columns.items()},
        # numpy leaves some 1e-15 of rounding where a column is constant.
        "stds": {name: np.nanstd(column) * (np.nanmin(column) < np.nanmax(column)) for name, column in columns.items()},
    }
    actual = dataclasses.asdict(summary)
    assert set(actual) == set(expected) | set(expected_columns)
    for name, value in expected.items():
        assert actual[name] == (value if value is None else pytest.approx(value, **EXACT)), name
    for name, values in expected_columns.items():
        assert actual[name] == pytest.approx(values, **EXACT), name


@pytest.mark.parametrize("colour", ["R", "B"])
def test_macho_as_an_independent_computation(colour):
    mjd, mag, magerr = np.loadtxt(DATA / f"macho_1.3444.614.{colour}.mjd", unpack=True)
    assert np.all(np.diff(mjd) > 0)
    flux = 10 ** ((23.9 - mag) / 2.5)
    fluxerr = np.where(magerr > 0, magerr * flux * np.log(10) / 2.5, np.nan)
    assert_as_skyportal(pd.DataFrame({"mjd": mjd, "mag": mag, "magerr": magerr}), mag, flux, fluxerr)


def test_tess_as_an_independent_computation():
    frame = pd.read_hdf(DATA / "TESS_photometric_series1.h5")
    flux = frame["flux"].to_numpy(np.float64)
    assert np.nanmin(flux) > 0
    assert_as_skyportal(frame, 23.9 - 2.5 * np.log10(flux), flux, frame["fluxerr"].to_numpy(np.float64))


@given(st.integers(0, 2**32 - 1), st.integers(5, 300))
def test_finite_sorted_series_as_skyportal(seed, n):
    rng = np.random.default_rng(seed)
    flux = rng.normal(1000.0, 10.0, n) + 500.0 * (rng.random(n) < 0.05)
    frame = series(flux, np.cumsum(rng.uniform(0.001, 0.1, n)) + 59000, fluxerr=rng.uniform(1.0, 20.0, n))
    assert_as_skyportal(frame, 23.9 - 2.5 * np.log10(flux), flux, frame["fluxerr"].to_numpy())


ANY_FLOATS = npst.arrays(np.float64, st.shared(st.integers(1, 12), key="n"), elements=st.floats(width=64))


@given(ANY_FLOATS, ANY_FLOATS, ANY_FLOATS, ANY_FLOATS)
def test_any_numbers_give_plain_values_and_no_warning(mjd, flux, fluxerr, more):
    summary = summarize(series(flux, mjd, fluxerr=fluxerr, more=more))
    plain(dataclasses.asdict(summary) | {"medians": summary.medians})
    assert summary.num_exp == len(flux)
    assert summary.is_detected == (summary.num_detected > 0)
    for low, middle, high in zip(
        summary.minima.values(), summary.medians.values(), summary.maxima.values(), strict=True
    ):
        assert middle is None or low <= middle <= high


@given(st.data(), npst.arrays(np.float64, st.integers(1, 30), elements=st.floats(50000, 60000), unique=True))
def test_the_order_of_rows_does_not_matter(data, mjd):
    flux = data.draw(npst.arrays(np.float64, len(mjd), elements=st.floats(-1e6, 1e6) | st.just(math.nan)))
    frame = series(flux, mjd, fluxerr=np.abs(flux) / 7, count=np.arange(len(mjd)))
    order = data.draw(st.permutations(range(len(mjd))))
    assert summarize(frame) == summarize(frame.iloc[order])


def test_the_order_of_rows_with_equal_times_changes_no_bit_of_the_scatter():
    random = np.random.default_rng(5)
    mjd = [59000.0, *np.repeat(59001.0 + np.arange(20), 3)]
    frame = series(random.normal(1000, 3, 61), mjd, sky=random.normal(0, 1, 61))
    stds = [summarize(frame.iloc[random.permutation(61)]).stds for _ in range(30)]
    assert all(one == stds[0] for one in stds)


@given(npst.arrays(np.int16, st.integers(1, 40)))
def test_robust_statistics_equal_a_second_implementation(values):
    assert robust(values) == pytest.approx(clipped(values), **EXACT)


def test_robust_drops_an_outlier_and_takes_the_mean_of_the_rest():
    values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 14.0, 15.0, 1000.0]
    assert robust(values) == pytest.approx((np.mean(values[:-1]), np.std(values[:-1])), **EXACT)


def test_robust_takes_the_median_where_nothing_is_dropped():
    values = [1.0, 2.0, 3.0, 4.0, 10.0]
    assert robust(values) == (3.0, np.std(values))


def test_robust_clips_at_most_three_times():
    values = np.concatenate([np.linspace(-1, 1, 1000), [1e3, 1e6, 1e9, 1e12, 1e15]])
    assert robust(values) == pytest.approx((np.mean(values[:-3]), np.std(values[:-3])), **EXACT)


@pytest.mark.parametrize("values", [[1.0, 2.0, 3.0, 1e9], [1.0, np.nan, np.inf, 2.0, 3.0, 1e9]])
def test_robust_leaves_fewer_than_five_points_alone(values):
    assert robust(values) == (2.5, np.std([1.0, 2.0, 3.0, 1e9]))


def test_robust_statistics_of_no_values_are_null():
    assert np.isnan(robust([])).all()
    assert np.isnan(robust([np.nan, np.inf])).all()


def test_robust_where_the_scatter_underflows_keeps_its_points():
    values = np.array([1, 2, 3, 4, 5, 6]) * 1e-200
    assert robust(values) == (np.median(values), 0.0)


def test_peer_11_unsorted_times():
    frame = series([10.0, 20.0, 30.0], mjd=[3.0, 1.0, 2.0])
    summary = summarize(frame)
    assert (summary.mjd_first, summary.mjd_mid, summary.mjd_last) == (1.0, 2.0, 3.0)
    assert (summary.mag_first, summary.mag_last) == (flux_to_mag(20.0), flux_to_mag(10.0))
    assert summary.frame_rate == pytest.approx(1 / 86400)


def test_peer_12_equal_times():
    summary = summarize(series([10.0, 20.0, 30.0], mjd=[5.0, 5.0, 5.0]))
    assert summary.frame_rate is None
    assert (summary.mag_first, summary.mag_last) == (flux_to_mag(10.0), flux_to_mag(30.0))


def test_peer_12_some_equal_times_do_not_count_in_the_frame_rate():
    summary = summarize(series([1.0] * 7, mjd=[0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 3.0]))
    assert summary.frame_rate == pytest.approx(1 / (1.5 * 86400), rel=1e-15)


def test_peer_12_one_row():
    summary = summarize(series([10.0], mjd=[5.0], fluxerr=[2.0]))
    assert summary.frame_rate is None
    assert (summary.mjd_first, summary.mjd_mid, summary.mjd_last) == (5.0, 5.0, 5.0)
    assert (summary.mean_flux, summary.rms_flux, summary.robust_rms, summary.rms_mag) == (10.0, 0.0, 0.0, 0.0)
    assert (summary.best_snr, summary.is_detected) == (5.0, True)
    assert set(summary.stds.values()) == {0.0}


def test_peer_13_a_null_time_is_no_time():
    summary = summarize(series([10.0, 20.0, 30.0, 1000.0], mjd=[np.nan, 2.0, 3.0, np.inf], fluxerr=[1.0] * 4))
    assert (summary.mjd_first, summary.mjd_last) == (2.0, 3.0)
    assert (summary.mag_first, summary.mag_last) == (flux_to_mag(20.0), flux_to_mag(30.0))
    assert summary.num_exp == 4
    assert summary.mean_flux == 265.0


def test_a_detection_without_a_time_counts_but_is_not_the_last():
    quiet = np.tile([-1.0, 1.0], 20)
    summary = summarize(series([*quiet, 50.0, 60.0], mjd=[*np.arange(40.0), np.nan, 7.5]))
    # The steps are 2, but for 59 and 61 around 7.5 and 49 before the row without a time.
    assert summary.best_snr == pytest.approx(60 / (1.4826 * 2 / np.sqrt(2)), **EXACT)
    assert summary.num_detected == 2
    assert (summary.mjd_last_detected, summary.mag_last_detected) == (7.5, flux_to_mag(60.0))


def test_peer_14_columns_without_a_finite_value():
    frame = series([1.0, 2.0], nothing=[np.nan, np.nan], endless=[np.inf, -np.inf])
    summary = summarize(frame)
    for statistic in (summary.medians, summary.minima, summary.maxima, summary.stds):
        assert statistic["nothing"] is statistic["endless"] is None


def test_peer_14_infinite_values_are_left_out():
    summary = summarize(series([1.0, 2.0, 9.0], some=[np.inf, 2.0, -np.inf]))
    assert (summary.minima["some"], summary.medians["some"], summary.maxima["some"], summary.stds["some"]) == (
        2,
        2,
        2,
        0,
    )


def test_overflow_is_undefined():
    summary = summarize(series([1.7e308, 1.6e308, -1.7e308]))
    assert summary.rms_flux is None
    assert summary.best_snr is None
    assert not summary.is_detected
    assert summary.maxima["flux"] == 1.7e308
    assert summary.stds["flux"] is None


def test_peer_15_errors_that_are_not_positive_do_not_make_a_signal():
    flux = np.tile([9.0, 11.0], 10)
    with_bad_errors = summarize(series(flux, fluxerr=np.tile([-1e-9, 0.0], 10)))
    without = summarize(series(flux))
    noise = 1.4826 * 2 / np.sqrt(2)
    assert with_bad_errors.best_snr == without.best_snr == pytest.approx(11 / noise, **EXACT)


def test_peer_16_noise_is_not_detected():
    n = 18_699
    summary = summarize(series(np.random.default_rng(16).normal(0.0, 10.0, n)))
    assert summary.best_snr < 7
    assert summary.num_detected / n < 0.005
    assert abs(summary.median_snr) < 0.05


@pytest.mark.parametrize("flux", [0.1, -0.1, 7.0, 1e-300])
@pytest.mark.parametrize("n", [1, 3, 11])
def test_peer_16_constant_flux_has_no_scatter_and_no_signal_to_noise(flux, n):
    summary = summarize(series([flux] * n))
    assert (summary.rms_flux, summary.robust_rms_flux, summary.mean_flux) == (0.0, 0.0, flux)
    assert (summary.best_snr, summary.median_snr, summary.worst_snr) == (None, None, None)
    assert summary.is_detected is False
    assert summary.mjd_last_detected is summary.mag_last_detected is None


def test_peer_16_constant_magnitude():
    frame = pd.DataFrame({"mjd": [1.0, 2.0, 3.0], "mag": [18.1, 18.1, 18.1]})
    summary = summarize(frame)
    assert (summary.mean_mag, summary.rms_mag, summary.robust_rms, summary.rms_flux) == (18.1, 0.0, 0.0, 0.0)
    assert summary.best_snr is None


def test_a_flare_does_not_hide_the_rest():
    flux = np.full(500, 50.0)
    flux[100:200] = 1000.0
    summary = summarize(series(flux, fluxerr=np.full(500, 5.0)))
    assert (summary.num_detected, summary.is_detected) == (500, True)
    assert (summary.worst_snr, summary.median_snr, summary.best_snr) == (10.0, 10.0, 200.0)


def test_100_bright_rows_of_500_are_detected():
    flux = np.random.default_rng(5).normal(0.0, 5.0, 500)
    flux[::5] = 1000.0
    summary = summarize(series(flux, fluxerr=np.full(500, 5.0)))
    assert summary.best_snr == 200.0
    assert 100 <= summary.num_detected == np.count_nonzero(flux > 15) < 105
    assert summary.is_detected
    assert (summary.mjd_last_detected, summary.mag_last_detected) == (59495.0, pytest.approx(16.4, **EXACT))


@pytest.mark.parametrize("errors", [True, False])
def test_a_pulsating_star_is_detected_in_every_row(errors):
    mjd = 59000 + np.arange(0, 20, 1 / 96)
    mag = 16 + 0.9 * np.abs((mjd / 0.55) % 1 - 0.5)
    flux = np.random.default_rng(6).normal(10 ** (0.4 * (23.9 - mag)), 10.0)
    assert flux.min() / 10 > 67
    assert np.std(flux) > 10 * flux.min() / 67 / 3, "its own variation is many times the noise"
    summary = summarize(series(flux, mjd, **({"fluxerr": np.full(len(flux), 10.0)} if errors else {})))
    assert summary.num_detected == summary.num_exp == len(flux)
    assert summary.median_snr > 5


def test_the_noise_of_magnitudes_without_errors_is_that_of_their_fluxes():
    mag = np.array([18.0, 18.1, 18.3, 17.9, 18.2])
    flux = 10 ** (0.4 * (23.9 - mag))
    snr = flux / (1.4826 * np.median(np.abs(np.diff(flux))) / np.sqrt(2))
    summary = summarize(pd.DataFrame({"mjd": np.arange(5.0), "mag": mag}))
    expected = (snr.min(), np.median(snr), snr.max())
    assert (summary.worst_snr, summary.median_snr, summary.best_snr) == pytest.approx(expected, **EXACT)


@pytest.mark.parametrize("sentinel", [99.999, -99.0, 100.0, 40.0, -40.0])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int16"])
def test_a_magnitude_that_cannot_be_counts_as_absent(sentinel, dtype):
    mag = np.array([18, 19, 18, 20, 17]).astype(dtype)
    times = 59000 + np.arange(7.0)
    odd = np.array([*mag[:2], sentinel, *mag[2:], sentinel]).astype(dtype)
    errors = [0.1] * 7
    summary = summarize(pd.DataFrame({"mjd": times, "mag": odd, "magerr": errors, "lim_mag": odd}))
    without = summarize(pd.DataFrame({"mjd": times, "mag": [18, 19, np.nan, 18, 20, 17, np.nan], "magerr": errors}))
    assert (summary.mean_mag, summary.rms_mag) == pytest.approx((np.mean(mag), np.std(mag)), **EXACT)
    assert summary.mean_flux == pytest.approx(np.mean(10 ** (0.4 * (23.9 - mag.astype(float)))), **EXACT)
    assert (summary.num_exp, summary.num_detected, summary.mag_last, summary.mag_last_detected) == (7, 5, None, 17.0)
    for name in ("mag", "lim_mag"):
        found = (summary.medians[name], summary.minima[name], summary.maxima[name], summary.stds[name])
        assert found == pytest.approx((18.0, 17.0, 20.0, np.std(mag.astype(float))), **EXACT)
    assert dataclasses.asdict(summary) | {name: {} for name in COLUMNS} == dataclasses.asdict(without) | {
        name: {} for name in COLUMNS
    }


def test_a_magnitude_that_cannot_be_counts_as_absent_beside_a_flux():
    summary = summarize(series([1.0, 2.0, 3.0], mag=[18.0, 99.0, 20.0], magnitude_of_peak=[1.0, 50.0, 60.0]))
    assert (summary.maxima["mag"], summary.medians["mag"]) == (20.0, 19.0)
    assert summary.maxima["magnitude_of_peak"] == 60.0
    assert summary.mean_flux == 2.0


def test_a_faint_flux_keeps_its_magnitude():
    assert summarize(series([1e-8, 1e-8, 1e-8])).mean_mag == pytest.approx(43.9, **EXACT)


@pytest.mark.parametrize("offset", [1e13, -1e13, 2.5e11, 1e6])
@pytest.mark.parametrize("n", [7, 1000, 18_699])
def test_a_standard_deviation_far_from_zero(offset, n):
    values = offset + np.random.default_rng(n).normal(0.0, 1.0, n)
    exact = [Fraction(value) for value in values.tolist()]
    mean = sum(exact) / n
    variance = sum((value - mean) ** 2 for value in exact) / n
    summary = summarize(series(values))
    assert summary.rms_flux == pytest.approx(math.sqrt(variance), rel=1e-9, abs=0)
    assert summary.stds["flux"] == pytest.approx(math.sqrt(variance), rel=1e-9, abs=0)


@given(st.floats(-1e300, 1e300), st.integers(1, 500))
@example(3.422319603740458e169, 168)  # the square of what the mean is rounded by overflows
def test_the_standard_deviation_of_a_constant_is_zero(value, n):
    assert summarize(series(np.full(n, value))).stds["flux"] == 0.0


def test_the_median_of_right_ascensions_is_that_of_angles():
    frame = series([1.0, 2.0, 3.0], ra=[359.5, 0.2, 359.7], RA=[10.0, 11.0, 13.0], dec=[-1.0, 1.0, 2.0])
    summary = summarize(frame)
    assert summary.medians["ra"] == pytest.approx(359.7, abs=1e-9)
    assert infer(frame)["ra"] == summary.medians["ra"]
    assert (summary.medians["RA"], summary.medians["dec"]) == (11.0, 1.0)
    assert (summary.minima["ra"], summary.maxima["ra"]) == (0.2, 359.7)


def test_peer_17_fluxes_tell_what_magnitudes_cannot():
    summary = summarize(series(np.random.default_rng(17).normal(1.0, 10.0, 100_000)))
    assert summary.mean_mag < 22.5
    assert summary.mean_flux == pytest.approx(1.0, abs=0.2)
    assert summary.robust_flux == pytest.approx(1.0, abs=0.2)
    assert summary.robust_rms_flux == pytest.approx(10.0, rel=0.05)


def test_negative_fluxes_alone_have_no_magnitude():
    summary = summarize(series([-1.0, -2.0]))
    assert (summary.mean_mag, summary.rms_mag, summary.robust_mag, summary.robust_rms) == (None, None, None, None)
    assert summary.mag_first is summary.mag_last is None
    assert summary.mean_flux == -1.5


def test_detection_threshold():
    frame = series([10.0, 20.0], fluxerr=[5.0, 5.0])
    assert summarize(frame).num_detected == 1
    assert summarize(frame, detection_threshold=1.0).num_detected == 2
    assert summarize(frame, detection_threshold=4.0).num_detected == 0, "a point at the threshold is not above it"


@pytest.mark.parametrize("dtype", ["float32", "float16", ">f4", "int8", "uint64"])
def test_every_dtype_is_computed_in_float64(dtype):
    values = np.array([100, 3, 7, 50, 2, 9], dtype=dtype)
    summary = summarize(series(values, more=values[::-1]))
    expected = summarize(series(values.astype(np.float64), more=values[::-1].astype(np.float64)))
    assert summary == expected
    plain(dataclasses.asdict(summary))


def test_only_numeric_columns_have_statistics():
    frame = series(
        [1.0, 2.0],
        flag=[True, False],
        text=["a", None],
        when=pd.to_datetime(["2020-01-01", None]),
        lasts=pd.to_timedelta([1, 2], unit="s"),
        count=[1, 2],
    )
    assert set(summarize(frame).medians) == {"mjd", "flux", "count"}


def test_the_index_does_not_matter():
    frame = series([10.0, 20.0, 30.0], mjd=[3.0, 1.0, 2.0])
    assert summarize(frame.set_index(pd.Index(["b", "b", "a"]))) == summarize(frame)


def test_given_light_curve_is_used():
    frame = pd.DataFrame({"mjd": [2.0, 1.0], "mag": [18.0, 19.0]})
    assert summarize(frame, light_curve(frame)) == summarize(frame)
    assert summarize(frame).mean_flux == pytest.approx(mag_to_flux([18.0, 19.0]).mean(), **EXACT)
