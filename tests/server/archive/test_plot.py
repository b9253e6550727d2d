"""Pictures of light curves, however odd these are."""

import contextlib
import io

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from matplotlib.image import imread

from photseries.errors import InvalidError
from photseries.lightcurve.samples import Samples
from photseries.server.archive.plot import png

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
ROWS = st.lists(st.tuples(NUMBERS, NUMBERS, st.floats(min_value=5e-324, allow_infinity=False)), min_size=1, max_size=3)


@settings(max_examples=30)
@given(ROWS, st.sampled_from(["mag", "flux"]), st.sampled_from(["mjd", "days", "date"]))
@example([(1e7, 1, 1), (1e7 + 1, 1, 1)], "mag", "date")
@example([(-600_000, 1, 1), (2_800_000, 1, 1)], "mag", "date")
@example([(2_800_000, 1, 1)], "mag", "date")
@example([(-1e308, 1, 1), (1e308, 1, 1)], "mag", "days")
@example([(0, -1e100, 1), (1e100, 1e100, 1)], "flux", "days")
@example([(0, -1e308, 1), (1, 1e308, 1)], "flux", "mjd")
@example([(0, 1, 1.7e308), (1, 2, 1)], "flux", "mjd")
@pytest.mark.slow
def test_every_light_curve_is_drawn_or_refused(rows, unit, time):
    mjd, value, error = np.array(sorted(rows), float).T
    with contextlib.suppress(InvalidError):
        with np.errstate(over="ignore"):
            points = Samples(unit, mjd, value, error, value / error)
        drawn = png(
            points, title="a", subtitle="b", size=(200, 200), theme="light", time=time, threshold=3.0, label="Flux"
        )
        assert drawn.startswith(b"\x89PNG")


@pytest.mark.parametrize(("error", "width"), [(8, 26), (1000, 30), (1e-3, 10)])
def test_the_axis_includes_error_bars_up_to_the_range_of_the_points(error, width):
    points = Samples("flux", np.array([1.0, 2]), np.array([100.0, 110]), np.full(2, float(error)))
    drawn = png(points, title="", subtitle="", size=(400, 400), theme="light", time="mjd", threshold=3, label="Flux")
    pixels = (imread(io.BytesIO(drawn))[..., :3] * 255).round().astype(int)
    blue = pixels[..., 2] - pixels[..., 0] > 60
    first, second = (np.flatnonzero(half.sum(axis=1) >= 4).mean() for half in (blue[:, :200], blue[:, 200:]))
    lines = (np.abs(pixels - [0xE6, 0xE9, 0xEC]) <= 2).all(axis=-1)
    axis = np.flatnonzero(lines[:, lines.sum(axis=0).argmax()])
    assert (first - second) / np.ptp(axis) == pytest.approx(10 / (1.16 * width), abs=0.02)
