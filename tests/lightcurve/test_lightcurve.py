from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from photseries.errors import InvalidError
from photseries.lightcurve.curve import light_curve
from photseries.lightcurve.photometry import flux_to_mag, fluxerr_to_magerr, mag_to_flux, magerr_to_fluxerr

MJD = [1.0, 2.0]


def test_flux_comes_before_magnitude():
    curve = light_curve(pd.DataFrame({"mag": [1.0, 1.0], "flux": [10.0, 20.0], "mjd": MJD}))
    np.testing.assert_array_equal(curve.flux, [10.0, 20.0])
    np.testing.assert_array_equal(curve.mag, flux_to_mag([10.0, 20.0]))
    assert np.isnan(curve.fluxerr).all()
    assert np.isnan(curve.magerr).all()


def test_magnitudes_are_converted_to_flux():
    curve = light_curve(pd.DataFrame({"mjd": MJD, "mag": [18.0, np.nan], "magerr": [0.1, 0.1]}))
    np.testing.assert_array_equal(curve.flux, mag_to_flux([18.0, np.nan]))
    np.testing.assert_array_equal(curve.fluxerr, magerr_to_fluxerr(curve.flux, [0.1, 0.1]))
    np.testing.assert_array_equal(curve.magerr, [0.1, 0.1])


@pytest.mark.parametrize(
    ("brightness", "errors", "used"),
    [
        ("flux", {"magerr": 0.2, "fluxerr": 3.0}, "fluxerr"),
        ("flux", {"magerr": 0.2}, "magerr"),
        ("mag", {"fluxerr": 3.0, "magerr": 0.2}, "magerr"),
        ("mag", {"fluxerr": 3.0}, "fluxerr"),
    ],
)
def test_the_error_in_the_unit_of_the_brightness_comes_first(brightness, errors, used):
    curve = light_curve(pd.DataFrame({"mjd": [1.0], brightness: [20.0], **{k: [v] for k, v in errors.items()}}))
    expected = errors[used]
    if used == "fluxerr":
        assert (curve.fluxerr[0], curve.magerr[0]) == (expected, fluxerr_to_magerr(curve.flux, expected)[0])
    else:
        assert (curve.magerr[0], curve.fluxerr[0]) == (expected, magerr_to_fluxerr(curve.flux, expected)[0])


@pytest.mark.parametrize("absent", [0.0, -1.0, np.nan, np.inf])
def test_peer_15_an_error_that_is_not_positive_is_absent_for_its_row(absent):
    curve = light_curve(pd.DataFrame({"mjd": MJD, "flux": [10.0, 10.0], "fluxerr": [absent, 2.0]}))
    np.testing.assert_array_equal(curve.fluxerr, [np.nan, 2.0])
    np.testing.assert_array_equal(np.isnan(curve.magerr), [True, False])


def test_infinite_values_are_absent():
    curve = light_curve(pd.DataFrame({"mjd": [np.inf, 1.0], "flux": [1.0, -np.inf]}))
    np.testing.assert_array_equal(curve.mjd, [np.nan, 1.0])
    np.testing.assert_array_equal(curve.flux, [1.0, np.nan])


@pytest.mark.parametrize("dtype", ["int16", "uint64", "float16", "float32", ">f8"])
def test_arrays_are_float64(dtype):
    curve = light_curve(pd.DataFrame({"mjd": np.array([2, 1], dtype), "mag": np.array([18, 19], dtype)}))
    for name in ("mjd", "flux", "fluxerr", "mag", "magerr"):
        values = getattr(curve, name)
        assert values.dtype == np.dtype(np.float64)
        assert values.shape == (2,)


def test_rows_keep_their_order_until_sorted():
    frame = pd.DataFrame({"mjd": [3.0, np.nan, 1.0, 2.0, 1.0], "flux": [1.0, 2.0, 3.0, 4.0, 5.0]})
    curve = light_curve(frame)
    np.testing.assert_array_equal(curve.flux, frame["flux"])
    ordered = curve.by_time()
    np.testing.assert_array_equal(ordered.mjd, [1.0, 1.0, 2.0, 3.0, np.nan])
    np.testing.assert_array_equal(ordered.flux, [3.0, 5.0, 4.0, 1.0, 2.0])
    np.testing.assert_array_equal(ordered.mag, flux_to_mag(ordered.flux))


def test_equal_times_keep_their_order():
    flux = np.arange(1.0, 1001.0)
    curve = light_curve(pd.DataFrame({"mjd": np.tile([2.0, 1.0], 500), "flux": flux}))
    np.testing.assert_array_equal(curve.by_time().flux, [*flux[1::2], *flux[::2]])


@pytest.mark.parametrize("absent", ["mjd", "flux"])
def test_a_table_without_its_columns(absent):
    frame = pd.DataFrame({"mjd": MJD, "flux": MJD}).drop(columns=absent)
    with pytest.raises(InvalidError, match="Input to photometric series must contain"):
        light_curve(frame)
