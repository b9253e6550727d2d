"""The features of a light curve, against the same definitions in exact fractions, and their invariances."""

import math
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photseries.fields import FEATURES
from photseries.lightcurve.calibration import calibration_of
from photseries.lightcurve.curve import LightCurve, good_rows, light_curve
from photseries.lightcurve.features import features
from photseries.lightcurve.statistics import summarize

TOLERANCE: dict[str, Any] = {"rel": 1e-10, "abs": 1e-12}
SHIFTED = ("weighted_mean", "p1", "p5", "p25", "p75", "p95", "p99")
SCALED = (
    *SHIFTED, "weighted_mean_error", "mad", "iqr", "amplitude", "largest_change", "slope", "slope_error",
    "median_error",
)  # fmt: skip
OF_TIME = ("span", "largest_gap", "median_cadence", "points_per_night")
OF_ORDER = ("von_neumann", "largest_change")


def curve(mjd, values, errors=None, unit="flux"):
    """A light curve whose other brightness is absent."""
    absent = np.full(len(mjd), np.nan)
    values, errors = np.asarray(values, float), absent if errors is None else np.asarray(errors, float)
    pairs = {"flux": values, "fluxerr": errors, "mag": absent, "magerr": absent}
    if unit == "mag":
        pairs = {"flux": absent, "fluxerr": absent, "mag": values, "magerr": errors}
    return LightCurve(mjd=np.asarray(mjd, float), **pairs)


def noisy(count=300, seed=1):
    noise = np.random.default_rng(seed)
    mjd = np.sort(59000 + noise.uniform(0, 40, count))
    return mjd, 100 + noise.gamma(2, 3, count), noise.uniform(0.5, 3, count)


def root(number):
    """The square root of a fraction, to 30 digits."""
    return Fraction(math.isqrt(int(number * 10**60)), 10**30)


def percentile(values, percent):
    place = Fraction(percent, 100) * (len(values) - 1)
    low = math.floor(place)
    return values[low] + (place - low) * (values[min(low + 1, len(values) - 1)] - values[low])


def expected(mjd, values, errors):  # noqa: PLR0915
    """Every feature of fluxes, in exact fractions, from the papers."""
    times, values, errors = ([Fraction(float(one)) for one in column] for column in (mjd, values, errors))
    count, ordered = len(values), sorted(values)
    found = {f"p{percent}": percentile(ordered, percent) for percent in (1, 5, 25, 75, 95, 99)}
    median = percentile(ordered, 50)
    found |= {"mad": percentile(sorted(abs(one - median) for one in values), 50), "iqr": found["p75"] - found["p25"]}
    found["amplitude"] = found["p95"] - found["p5"]
    mean = sum(values) / count
    moments = [sum((one - mean) ** power for one in values) / count for power in range(5)]
    variance = moments[2] * count / (count - 1)
    scatter = root(variance)
    skewness = moments[3] / (moments[2] * root(moments[2]))
    found["skewness"] = root(Fraction(count * (count - 1))) / (count - 2) * skewness
    excess = moments[4] / moments[2] ** 2 - 3
    found["kurtosis"] = Fraction(count - 1, (count - 2) * (count - 3)) * ((count + 1) * excess + 6)
    for sigma in (1, 2):
        far = sum(abs(one - mean) > sigma * scatter for one in values)
        found[f"beyond_{sigma}_sigma"] = Fraction(far, count)
    steps = [later - earlier for earlier, later in pairwise(values)]
    found["largest_change"] = max(map(abs, steps))
    found["von_neumann"] = sum(step**2 for step in steps) / (count - 1) / variance

    weights = [1 / error**2 for error in errors]
    centre = sum(weight * one for weight, one in zip(weights, values, strict=True)) / sum(weights)
    residuals = [(one - centre) / error for one, error in zip(values, errors, strict=True)]
    squares = sum(one**2 for one in residuals)
    found |= {"weighted_mean": centre, "weighted_mean_error": 1 / root(sum(weights))}
    found |= {"chi2_dof": squares / (count - 1), "median_error": percentile(sorted(errors), 50)}
    found["stetson_k"] = sum(map(abs, residuals)) / count / root(squares / count)

    noise = sum(error**2 for error in errors) / count
    found["excess_variance"] = (variance - noise) / mean**2
    fractional = root(max(found["excess_variance"], 0))
    both = (root(Fraction(2, count)) * noise / mean**2) ** 2 + (root(noise / count) * 2 * fractional / mean) ** 2
    found["excess_variance_error"] = root(both)

    middle = sum(weight * time for weight, time in zip(weights, times, strict=True)) / sum(weights)
    leverage = sum(weight * (time - middle) ** 2 for weight, time in zip(weights, times, strict=True))
    found["slope"] = sum(w * (t - middle) * one for w, t, one in zip(weights, times, values, strict=True)) / leverage
    found["slope_error"] = 1 / root(leverage)

    gaps = [later - earlier for earlier, later in pairwise(times)]
    found |= {"span": times[-1] - times[0], "largest_gap": max(gaps), "median_cadence": percentile(sorted(gaps), 50)}
    found["points_per_night"] = Fraction(count, len({math.floor(time - Fraction(1, 2)) for time in times}))
    return {name: float(one) for name, one in found.items()}


def test_features_are_those_of_the_table():
    assert tuple(features(curve(*noisy()))) == FEATURES


@pytest.mark.parametrize(
    ("count", "seed"),
    [
        pytest.param(300, 1, marks=pytest.mark.slow),
        pytest.param(299, 2, marks=pytest.mark.slow),
        (57, 3),
        (5, 4),
    ],
)
def test_features_are_as_defined(count, seed):
    mjd, values, errors = noisy(count, seed)
    found = features(curve(mjd, values, errors))
    assert found.pop("features_of") == "flux"
    assert found == pytest.approx(expected(mjd, values, errors), **TOLERANCE)


def test_a_negative_excess_has_the_error_of_no_excess():
    mjd, values, _ = noisy()
    errors = np.full(len(mjd), 40.0)
    found, right = features(curve(mjd, values, errors)), expected(mjd, values, errors)
    assert float(found["excess_variance"]) < 0
    for name in ("excess_variance", "excess_variance_error"):
        assert found[name] == pytest.approx(right[name], **TOLERANCE)


def test_features_equal_a_manual_calculation():
    """Four rows of numbers that a pencil can follow."""
    found = features(curve([0.25, 1.25, 2.25, 4.25], [10.0, 12.0, 10.0, 14.0], [1.0, 1.0, 2.0, 2.0], "mag"))
    assert found["features_of"] == "mag"
    assert found["weighted_mean"] == pytest.approx((10 + 12 + 2.5 + 3.5) / 2.5)
    assert found["chi2_dof"] == pytest.approx((1.2**2 + 0.8**2 + 0.6**2 + 1.4**2) / 3)
    assert found["von_neumann"] == pytest.approx((4 + 4 + 16) / 3 / (11 / 3))
    assert (found["largest_change"], found["iqr"], found["mad"]) == (4, 2.5, 1)
    assert (found["largest_gap"], found["median_cadence"], found["points_per_night"]) == (2, 1, 1)
    assert (found["beyond_1_sigma"], found["beyond_2_sigma"]) == (0.25, 0)
    assert found["excess_variance"] is None


def test_an_unweighted_slope_has_the_error_of_the_residuals():
    mjd, values, _ = noisy()
    (slope, _), covariance = np.polyfit(mjd - 59020, values, 1, cov=True)
    found = features(curve(mjd, values))
    assert found["slope"] == pytest.approx(slope, rel=1e-9)
    assert found["slope_error"] == pytest.approx(math.sqrt(covariance[0, 0]), rel=1e-9)
    assert features(curve(mjd[:2], values[:2]))["slope_error"] is None


def test_features_with_errors_use_only_the_rows_that_have_one():
    mjd, values, errors = noisy()
    some = np.where(np.arange(len(mjd)) % 3 == 0, np.nan, errors)
    kept = np.isfinite(some)
    found, right = features(curve(mjd, values, some)), expected(mjd[kept], values[kept], errors[kept])
    needing = (
        "weighted_mean", "weighted_mean_error", "chi2_dof", "stetson_k", "median_error", "slope", "slope_error",
        "excess_variance", "excess_variance_error",
    )  # fmt: skip
    for name in needing:
        assert found[name] == pytest.approx(right[name], **TOLERANCE)
    without = features(curve(mjd, values))
    assert {name for name in FEATURES if without[name] is None} == {*needing} - {"slope", "slope_error"}


@pytest.mark.parametrize(
    ("fluxes", "metadata", "unit"),
    [
        ([1.0, 2.0, 3.0], {}, "mag"),
        ([1.0, -2.0, 3.0], {}, "flux"),
        ([1.0, 0.0, 3.0], {}, "flux"),
        ([1.0, np.nan, 3.0], {}, "mag"),
        ([1.0, 2.0, 3.0], {"flux_unit": "electron/s"}, "flux"),
    ],
)
def test_features_are_of_magnitudes_where_all_fluxes_are_positive(fluxes, metadata, unit):
    frame = pd.DataFrame({"mjd": [1.0, 2.0, 3.0], "flux": fluxes, "fluxerr": 0.1})
    found = features(light_curve(frame, calibration_of(metadata)))
    assert found["features_of"] == unit
    level = np.nanmean(fluxes) if unit == "flux" else np.nanmean(23.9 - 2.5 * np.log10(np.abs(fluxes)))
    assert abs(found["p75"] - level) < 2
    assert found["excess_variance"] is not None


@pytest.mark.parametrize("magsys", ["ab", "vega", "instrumental"])
def test_only_magnitudes_that_become_fluxes_have_an_excess_variance(magsys):
    frame = pd.DataFrame({"mjd": [1.0, 2.0, 3.0], "mag": [14.0, 14.5, 15.0], "magerr": 0.1})
    found = features(light_curve(frame, calibration_of({"magsys": magsys})))
    assert (found["excess_variance"] is None) is (magsys != "ab")
    assert (found["features_of"], found["chi2_dof"]) == ("mag", pytest.approx(25))


def test_a_night_ends_at_local_noon():
    """Two evenings and mornings in Chile: UTC midnight, which is noon at 180 deg, divides both nights."""
    mjd = np.array([59000.98, 59001.02, 59001.4, 59001.98, 59002.02])
    assert features(curve(mjd, np.arange(5.0)), longitude=-70.7)["points_per_night"] == 2.5
    assert features(curve(mjd, np.arange(5.0)), longitude=180.0)["points_per_night"] == 5 / 3


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 1.0], [7.1] * 50, [1.0, 2.0], [1.0, 2.0, 4.0], [np.nan] * 3])
@pytest.mark.parametrize("errors", [None, 0.3, np.nan, 1e-300])
@pytest.mark.parametrize("at", [None, 59000.0, np.nan])
def test_short_and_constant_series_have_features(values, errors, at):
    mjd = 59000 + np.arange(len(values)) * 0.1 if at is None else np.full(len(values), at)
    found = features(curve(mjd, values, None if errors is None else np.full(len(values), errors)))
    assert set(found) == set(FEATURES)
    assert all(one is None or isinstance(one, str) or math.isfinite(one) for one in found.values())
    if not np.isfinite(mjd).any() or not np.isfinite(values).any():
        assert set(found.values()) == {None}
    elif len(set(values)) == 1:
        assert (found["mad"], found["iqr"], found["amplitude"]) == (0, 0, 0)
        assert found["von_neumann"] is found["skewness"] is found["kurtosis"] is found["stetson_k"] is None
        if errors == 0.3 and len(values) > 1:
            assert found["chi2_dof"] == 0


@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(-1e3, 1e3), st.floats(0.1, 10)), min_size=1, max_size=40),
    st.floats(-1e3, 1e3),
    st.floats(0.01, 100),
)
def test_features_transform_with_shift_and_scale(rows, shift, scale):
    """Permuted rows give the same, and so do stretched times where only their order counts."""
    mjd, values, errors = np.array(rows).T
    values = np.round(values, 3)
    before = features(curve(mjd, values, errors))
    shuffled = np.random.default_rng(0).permutation(len(mjd))
    if len(set(mjd)) == len(mjd):
        assert features(curve(mjd[shuffled], values[shuffled], errors[shuffled])) == before
    if np.ptp(values) < 0.01:
        return
    moved = features(curve(mjd, values * scale + shift, errors * scale))
    for name in FEATURES:
        if name == "features_of" or "excess" in name or "beyond" in name or before[name] is None:
            continue
        right = float(before[name]) * (scale if name in SCALED else 1) + (shift if name in SHIFTED else 0)
        assert moved[name] == pytest.approx(right, rel=1e-6, abs=1e-6 * (1 + scale * 1e3)), name
    stretched = features(curve(2 * mjd, values, errors))
    for name in set(FEATURES) - {*OF_TIME, "slope", "slope_error"}:
        assert stretched[name] == before[name]


def test_flagged_rows_are_skipped_and_counted():
    mjd, values, errors = noisy(60)
    flags = np.arange(60) % 4
    spoiled = np.where(flags > 1, values * 50, values)
    frame = pd.DataFrame({"mjd": mjd, "flux": spoiled, "fluxerr": errors, "flags": flags})
    good = good_rows(frame, {"flag_column": "flags", "good_values": [0, 1]})
    masked = light_curve(frame).masked(good)
    kept = frame[flags < 2]
    assert features(masked) == features(light_curve(kept))
    with_flags, without = summarize(frame, masked, good=good), summarize(kept)
    assert (with_flags.num_exp, with_flags.num_flagged) == (60, 30)
    for name in ("mean_flux", "rms_mag", "robust_flux", "median_snr", "num_detected", "medians", "stds"):
        assert getattr(with_flags, name) == getattr(without, name)
    assert (with_flags.mjd_first, with_flags.mjd_last) == (mjd[0], mjd[-1])


@pytest.mark.parametrize(
    ("flags", "good_values", "right"),
    [
        ([0, 1, 2, 0], None, [1, 0, 0, 1]),
        ([0.0, 1.0, np.nan, 0.0], [0], [1, 0, 0, 1]),
        (["G", "B", None, "G"], ["G"], [1, 0, 0, 1]),
        (["G", "B", "A", "0"], ["G", "A"], [1, 0, 1, 0]),
        ([True, False, True, False], [False], [0, 1, 0, 1]),
        ([True, False, True, False], None, [0, 1, 0, 1]),
    ],
)
def test_good_rows_have_a_good_value(flags, good_values, right):
    frame = pd.DataFrame({"flags": flags})
    found = good_rows(frame, {"flag_column": "flags", "good_values": good_values})
    assert found.tolist() == [bool(one) for one in right]
    assert good_rows(frame, {}) is None
