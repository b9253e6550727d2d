"""Order statistics against numpy's own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from photseries.lightcurve.medians import least_median_greatest, median

KINDS = ["f8", "f4", "i8", "i2", "u1", "?"]


@given(st.data(), st.sampled_from(KINDS))
def test_equals_numpy(data, kind):
    bounds = {"min_value": -(2.0**100), "max_value": 2.0**100, "width": 8 * np.dtype(kind).itemsize}
    elements = st.floats(**bounds) if kind[0] == "f" else None
    values = data.draw(arrays(kind, array_shapes(max_dims=2, max_side=7), elements=elements))
    before = values.copy()
    expected = np.median(values.astype(np.float64), axis=-1)
    minimum, middle, maximum = least_median_greatest(values)
    np.testing.assert_array_equal(middle, expected)
    np.testing.assert_array_equal(median(values), expected)
    np.testing.assert_array_equal(minimum, values.min(axis=-1))
    np.testing.assert_array_equal(maximum, values.max(axis=-1))
    np.testing.assert_array_equal(values, before)
    assert middle.dtype == minimum.dtype == maximum.dtype == np.float64


@pytest.mark.parametrize("shape", [(0,), (3, 0)])
def test_without_values_all_are_nan(shape):
    for statistic in least_median_greatest(np.empty(shape)):
        assert statistic.shape == shape[:-1]
        assert np.isnan(statistic).all()
