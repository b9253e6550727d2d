from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photseries.lightcurve.photometry import (
    AB_ZERO_POINT,
    flux_to_mag,
    fluxerr_to_magerr,
    mag_to_flux,
    magerr_to_fluxerr,
)

ANY = st.floats(allow_nan=True, allow_infinity=True)
FLUX = st.floats(1e-20, 1e20)
ERROR = st.floats(1e-20, 1e20)


def test_ab_zero_point_is_23_9():
    assert flux_to_mag(1.0) == AB_ZERO_POINT
    assert mag_to_flux(AB_ZERO_POINT) == 1.0
    # The flux that defines magnitude 0, 3631 Jy, which 23.9 rounds.
    assert flux_to_mag(3631e6) == pytest.approx(0.0, abs=1e-4)


def test_five_magnitudes_are_a_factor_of_a_hundred():
    np.testing.assert_allclose(flux_to_mag([1.0, 100.0, 1e4]), [23.9, 18.9, 13.9], rtol=1e-15)


def test_one_percent_flux_error_is_0_0109_mag():
    assert fluxerr_to_magerr(100.0, 1.0) == pytest.approx(0.010857362047581296, rel=1e-15)


@given(FLUX)
def test_flux_round_trip(flux):
    assert mag_to_flux(flux_to_mag(flux)) == pytest.approx(flux, rel=1e-12)


@given(st.floats(-100, 100))
def test_mag_round_trip(mag):
    assert flux_to_mag(mag_to_flux(mag)) == pytest.approx(mag, rel=1e-12, abs=1e-12)


@given(FLUX, ERROR)
def test_error_round_trip(flux, fluxerr):
    assert magerr_to_fluxerr(flux, fluxerr_to_magerr(flux, fluxerr)) == pytest.approx(fluxerr, rel=1e-12)


@given(FLUX, st.floats(1e-6, 1e-3))
def test_error_is_the_derivative(flux, relative):
    brighter, fainter = flux_to_mag([flux * (1 + relative), flux * (1 - relative)])
    assert fluxerr_to_magerr(flux, flux * relative) == pytest.approx((fainter - brighter) / 2, rel=1e-5)


@given(ANY, ANY)
def test_conversions_give_finite_values_or_nan_without_warnings(a, b):
    results = [
        flux_to_mag(a),
        mag_to_flux(a),
        fluxerr_to_magerr(a, b),
        magerr_to_fluxerr(a, b),
    ]
    assert not np.isinf(results).any()


@pytest.mark.parametrize("flux", [0.0, -0.0, -1.0, np.nan, np.inf, -np.inf])
def test_no_magnitude_without_a_positive_flux(flux):
    assert np.isnan(flux_to_mag(flux))
    assert np.isnan(fluxerr_to_magerr(flux, 1.0))
    assert np.isnan(magerr_to_fluxerr(flux, 0.1))


@pytest.mark.parametrize("mag", [np.nan, np.inf, -np.inf, -1000.0])
def test_no_flux_without_a_finite_magnitude(mag):
    assert np.isnan(mag_to_flux(mag))


@pytest.mark.parametrize("error", [0.0, -1.0, np.nan, np.inf])
def test_peer_15_no_error_unless_positive(error):
    assert np.isnan(fluxerr_to_magerr(10.0, error))
    assert np.isnan(magerr_to_fluxerr(10.0, error))


def test_float32_is_computed_in_float64():
    flux = np.array([3.3, 1e-3, 7e8], dtype=np.float32)
    mag = flux_to_mag(flux)
    assert mag.dtype == np.float64
    np.testing.assert_array_equal(mag, flux_to_mag(flux.astype(np.float64)))
