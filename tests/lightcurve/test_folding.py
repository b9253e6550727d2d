"""Folded light curves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photseries.lightcurve.folding import binned, phases
from photseries.lightcurve.samples import Samples


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.floats(1e-9, 1e9), st.floats(-1e6, 1e6))
def test_a_phase_lies_from_0_to_below_1(mjd, period, epoch):
    phase = phases(np.array(mjd), period, epoch)
    assert np.all((phase >= 0) & (phase < 1))


def test_phases_count_from_the_epoch():
    assert phases(np.array([10.5, 11.0, 12.25, 10.0]), 2, 10.5).tolist() == [0, 0.25, 0.875, 0.75]


def test_means_are_weighted_and_their_errors_come_from_the_scatter():
    points = Samples("mag", np.arange(5.0), np.array([1.0, 3.0, 10.0, 20.0, 5.0]), np.array([1.0, 1.0, 1.0, 2.0, 0.5]))
    bins = binned(points, np.array([0.1, 0.2, 0.6, 0.7, 0.9]), 4)
    assert bins.phase.tolist() == [0.125, 0.375, 0.625, 0.875]
    assert bins.count.tolist() == [2, 0, 2, 1]
    np.testing.assert_allclose(bins.mean, [2, np.nan, (10 + 20 / 4) / 1.25, 5])
    np.testing.assert_allclose(bins.error, [1, np.nan, np.sqrt((4 + 64 / 4) / 1.25), 0.5])


def test_without_errors_all_points_weigh_the_same():
    points = Samples("flux", np.arange(3.0), np.array([1.0, 2.0, 6.0]), None)
    bins = binned(points, np.array([0.1, 0.2, 0.9]), 2)
    np.testing.assert_allclose(bins.mean, [1.5, 6])
    np.testing.assert_allclose(bins.error, [0.5, np.nan])


def test_a_faint_variation_on_a_bright_star_is_not_lost():
    random = np.random.default_rng(3)
    phase = random.uniform(0, 1, 10_000)
    points = Samples("flux", phase, 1e12 + np.round(phase * 4), None)
    assert binned(points, phase, 1).mean[0] - 1e12 == pytest.approx(np.round(phase * 4).mean(), abs=1e-3)
