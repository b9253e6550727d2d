"""Signal to noise by the error of the row, or else by the noise of successive fluxes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from photseries.lightcurve.calibration import AB_MICROJANSKY
from photseries.lightcurve.curve import light_curve
from photseries.lightcurve.detection import noise_of_steps, signal_to_noise
from photseries.lightcurve.samples import samples
from photseries.lightcurve.select import select
from photseries.lightcurve.selection import Selection
from photseries.lightcurve.statistics import summarize

NAN = np.nan


def snr(flux, mjd=None, **columns):
    mjd = np.arange(len(flux), dtype=float) + 59000 if mjd is None else mjd
    return signal_to_noise(light_curve(pd.DataFrame({"mjd": mjd, "flux": flux, **columns})))


def test_the_error_of_the_row_is_its_noise():
    np.testing.assert_array_equal(snr([10.0, 500.0, -10.0], fluxerr=[1.0, 4.0, 4.0]), [10.0, 125.0, -2.5])


def test_magnitude_error_gives_the_noise():
    frame = pd.DataFrame({"mjd": [1.0, 2.0, 3.0], "mag": [15.0, 18.0, 21.0], "magerr": [0.01, 0.1, 0.5]})
    expected = 2.5 / np.log(10) / np.array([0.01, 0.1, 0.5])
    np.testing.assert_allclose(signal_to_noise(light_curve(frame)), expected, rtol=1e-12)


@pytest.mark.parametrize("absent", [NAN, 0.0, -3.0, np.inf])
def test_a_row_without_an_error_takes_the_noise_of_all_fluxes(absent):
    # The steps of all finite fluxes are 2, 3, 4, 5 and 6; their median is 4.
    flux = [10.0, 12.0, NAN, 9.0, 13.0, 8.0, 14.0]
    noise = 1.4826 * 4 / np.sqrt(2)
    expected = [10.0, 12 / noise, NAN, 9.0, 13 / noise, 8.0, 14.0]
    found = snr(flux, fluxerr=[1.0, absent, absent, 1.0, absent, 1.0, 1.0])
    np.testing.assert_allclose(found, expected, rtol=1e-15)


def test_the_steps_are_in_order_of_time():
    # In order of time 1, 2, 4, 8: steps 1, 2, 4. In order of the rows the median step would be 6.
    noise = 1.4826 * 2 / np.sqrt(2)
    found = snr([8.0, 1.0, 4.0, 2.0], mjd=[4.0, 1.0, 3.0, 2.0])
    np.testing.assert_allclose(found, np.array([8.0, 1.0, 4.0, 2.0]) / noise, rtol=1e-15)


@pytest.mark.parametrize("flux", [[5.0], [5.0, 7.0], [5.0, NAN, 7.0, np.inf]])
def test_fewer_than_three_fluxes_have_no_noise(flux):
    assert np.isnan(snr(flux)).all()
    assert np.isnan(noise_of_steps(flux))


def test_three_fluxes_are_enough():
    assert noise_of_steps([1.0, 3.0, 7.0]) == pytest.approx(1.4826 * 3 / np.sqrt(2), rel=1e-15)


@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1.0, 1e12])
def test_the_noise_has_the_unit_of_the_values(scale):
    assert noise_of_steps(scale * np.array([1.0, 3.0, 7.0])) == pytest.approx(
        scale * 1.4826 * 3 / np.sqrt(2), rel=1e-14
    )


def test_equal_values_have_no_noise():
    assert np.isnan(noise_of_steps([5.0] * 4))


def test_magnitudes_without_a_flux_take_their_own_noise():
    frame = pd.DataFrame(
        {"mjd": [1.0, 2.0, 3.0, 4.0], "mag": [15.0, 15.01, 14.98, 15.02], "magerr": [0.01, NAN, 0.05, 0.1]}
    )
    noise = [0.01, 1.4826 * 0.03 / np.sqrt(2), 0.05, 0.1]  # of steps of 0.01, 0.03, 0.04
    found = signal_to_noise(light_curve(frame, dataclasses.replace(AB_MICROJANSKY, magsys="instrumental")))
    np.testing.assert_allclose(found, 2.5 / np.log(10) / np.array(noise), rtol=1e-12)


def test_no_signal_to_noise_over_a_noise_of_zero():
    found = snr([10.0, 10.0, 10.0, 11.0], fluxerr=[NAN, 4.0, NAN, NAN])
    np.testing.assert_array_equal(found, [NAN, 2.5, NAN, NAN])


def test_the_noise_is_that_of_normal_values():
    values = np.random.default_rng(2).normal(0, 7.0, 100_000)
    assert noise_of_steps(values) == pytest.approx(7.0, rel=0.02)


def test_slow_variation_does_not_inflate_the_noise():
    phase = np.linspace(0, 40 * np.pi, 20_000)
    values = np.random.default_rng(3).normal(1000 + 500 * np.sin(phase), 7.0)
    assert np.std(values) > 300
    assert noise_of_steps(values) == pytest.approx(7.0, rel=0.03)


@given(
    npst.arrays(np.float64, st.shared(st.integers(1, 9), key="n"), elements=st.floats(width=64)),
    npst.arrays(np.float64, st.shared(st.integers(1, 9), key="n"), elements=st.floats(width=64)),
    npst.arrays(np.float64, st.shared(st.integers(1, 9), key="n"), elements=st.floats(width=64)),
)
def test_any_numbers_give_finite_values_or_nan_and_no_warning(mjd, flux, fluxerr):
    assert not np.isinf(snr(flux, mjd, fluxerr=fluxerr)).any()


def test_signal_to_noise_is_defined_once():
    rng = np.random.default_rng(4)
    flux = rng.normal(30.0, 10.0, 200)
    fluxerr = np.where(rng.random(200) < 0.5, 8.0, NAN)
    mjd = rng.permutation(200) + 59000.0
    frame = pd.DataFrame({"mjd": mjd, "flux": flux, "fluxerr": fluxerr})
    steps = np.abs(np.diff(flux[np.argsort(mjd)]))
    expected = flux / np.where(np.isnan(fluxerr), 1.4826 * np.median(steps) / np.sqrt(2), fluxerr)

    np.testing.assert_allclose(
        select(frame, Selection(columns=("mjd",), derive=("snr",)), {})["snr"], expected, rtol=1e-14
    )
    few = select(frame, Selection(mjd_min=59050, derive=("snr",)), {})
    np.testing.assert_allclose(few["snr"], expected[mjd >= 59050], rtol=1e-14)
    points = samples(frame, "flux", mjd_min=59050)
    np.testing.assert_allclose(points.snr, expected[np.argsort(mjd)][50:], rtol=1e-14)
    summary = summarize(frame)
    found = (summary.worst_snr, summary.median_snr, summary.best_snr)
    np.testing.assert_allclose(found, (expected.min(), np.median(expected), expected.max()), rtol=1e-14)
    assert summary.num_detected == np.count_nonzero(expected > 3)
    assert 20 < summary.num_detected < 180, "both kinds are there"
    last = np.argmax(np.where(expected > 3, mjd, 0))
    assert summary.mjd_last_detected == mjd[last]
    assert summary.mag_last_detected == pytest.approx(23.9 - 2.5 * np.log10(flux[last]), rel=1e-14)
