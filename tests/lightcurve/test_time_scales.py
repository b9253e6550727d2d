"""Conversions between time scales, held against astropy (ERFA)."""

import numpy as np
import pytest
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st

from photseries.fields import FIELDS
from photseries.lightcurve.time_scales import in_every_scale

SCALES = ("utc", "tai", "tt", "tdb")
MICROSECOND = 1e-6 / 86400


def check(mjd, scale, tolerance=12 * MICROSECOND):
    truth = Time(mjd, format="mjd", scale=scale)
    found = in_every_scale(mjd, scale)
    assert tuple(found) == FIELDS["time_scale"].values == SCALES
    assert found[scale] == mjd
    for other, value in found.items():
        np.testing.assert_allclose(value, getattr(truth, other).mjd, rtol=0, atol=tolerance)


@given(st.floats(41318, 62000), st.sampled_from(SCALES))
def test_times_agree_with_erfa(mjd, scale):
    check(mjd, scale)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("day", [41498, 41682, 50629, 57203, 57753])
@pytest.mark.parametrize("part", [-1e-9, 0.0, 0.3, 0.9999, 0.99999, 1.0, 1.0003, 1.0008])
def test_days_with_a_leap_second_agree_with_erfa(day, part, scale):
    check(day + part, scale)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("mjd", [37000.5, 39000.25, 41000.75])
def test_before_1972_they_agree_within_nine_seconds(mjd, scale):
    check(mjd, scale, 9 / 86400)
