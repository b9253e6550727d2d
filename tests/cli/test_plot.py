"""The light curve in braille: every point has its dot, in its place, and the numbers at the axes are true."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from photseries.cli.plot import TerminalAxis, drawn

WIDTH, HEIGHT = 60, 12

numbers = st.floats(-1e12, 1e12) | st.floats(allow_nan=True, allow_infinity=True)


def picture(x, y, error=None, **options):
    error = np.full(len(x), np.nan) if error is None else error
    return list(drawn(np.asarray(x, float), np.asarray(y, float), error, width=WIDTH, height=HEIGHT, **options))


def dots(lines):
    """Read the dots back: a set of (row, column), from the upper left."""
    bits = [
        (0, 0, 0x01),
        (1, 0, 0x02),
        (2, 0, 0x04),
        (0, 1, 0x08),
        (1, 1, 0x10),
        (2, 1, 0x20),
        (3, 0, 0x40),
        (3, 1, 0x80),
    ]
    found = set()
    for row, line in enumerate(lines[:-2]):
        start = max(line.find("│"), line.find("┤")) + 1
        for column, character in enumerate(line[start:]):
            code = ord(character) - 0x2800 if character != " " else 0
            found |= {(4 * row + down, 2 * column + across) for down, across, bit in bits if code & bit}
    return found


@example(np.array([[5e-324, 0.0], [0.0, 5e-324]]), False)
@given(hnp.arrays(float, st.tuples(st.just(2), st.integers(0, 40)), elements=numbers), st.booleans())
def test_any_numbers_fit_the_frame(points, reverse):
    lines = picture(*points, reverse=reverse)
    assert all(len(line) <= WIDTH for line in lines)
    drawable = (np.abs(points) < 1e300).all(axis=0)
    assert (len(lines) == HEIGHT) == drawable.any()
    if drawable.any():
        assert 1 <= len(dots(lines)) <= drawable.sum()


def test_million_points_are_drawn():
    x = np.linspace(0, 1, 1_000_000)
    assert len(dots(picture(x, x))) >= 2 * (WIDTH - 10)


def test_distinct_points_have_distinct_dots():
    x = np.arange(20.0)
    assert len(dots(picture(x, x % 7))) == 20


def test_flux_grows_upwards_and_magnitudes_downwards():
    ((row, _),) = dots(picture([0, 1], [5, 1])) - {d for d in dots(picture([0, 1], [5, 1])) if d[1] > 10}
    assert row == 0
    (row,) = [row for row, column in dots(picture([0, 1], [5, 1], reverse=True)) if column < 10]
    assert row == 4 * (HEIGHT - 2) - 1


def test_an_error_is_a_bar_around_its_point():
    bare = dots(picture([0, 1, 2], [0, 10, 20]))
    barred = dots(picture([0, 1, 2], [0, 10, 20], np.array([np.nan, 5, np.nan])))
    columns = [column for _, column in barred]
    assert len(bare) == 3
    assert sorted(columns.count(column) for column in set(columns))[:2] == [1, 1]
    assert max(columns.count(column) for column in set(columns)) >= 8


def test_axes_have_numbers():
    lines = picture([58000, 58030], [12.1, 11.9], reverse=True)
    labels = [line.split("┤")[0].strip() for line in lines if "┤" in line]
    assert labels == ["11.9", "12.0", "12.1"]
    assert lines[-1].split() == ["58000", "58010", "58020", "58030"]
    assert [lines[-2].count(mark) for mark in "┬└"] == [4, 1]


@given(st.floats(-1e9, 1e9), st.floats(1e-3, 1e9), st.integers(1, 12))
def test_ticks_are_round_few_and_inside(low, span, most):
    axis = TerminalAxis(low, low + span, 100)
    ticks = axis.ticks(most)
    assert len(ticks) <= most + 1
    for dot, label in ticks:
        exact = low + span * dot / 99
        assert float(label) == pytest.approx(exact, abs=span / 99 + (1e-5 * abs(exact) if "e" in label else 1e-9))


def test_empty_light_curve_draws_nothing():
    assert picture([np.nan], [1.0]) == ["Nothing to draw: no point is finite."]
    assert len(picture([], [])) == 1
