"""Positions: the numbers that cover a cone, and angles."""

import healpix
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from photseries.lightcurve import sky

ARCSEC = 1 / 3600

right_ascensions = st.floats(0, 360, exclude_max=True) | st.sampled_from([0.0, 45.0, 180.0, 359.99999999999994])
declinations = st.floats(-90, 90) | st.sampled_from([-90.0, 90.0, 0.0, 41.8103148957786, -41.8103148957786])
positions = st.tuples(right_ascensions, declinations)
radii = st.floats(-8, np.log10(180)).map(lambda power: min(10.0**power, 180.0)) | st.sampled_from(
    [0.1 * ARCSEC, 90, 180]
)

finenesses = st.sampled_from([1.0, 4.0, 16.0])


def points_of_a_cone(ra, dec, radius, count=64):
    """Give points of a cone: its centre, its edge, and some between; shape (n,) each, in deg."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    distance = np.radians(radius) * np.concatenate([np.ones(count // 2), np.linspace(0, 1, count - count // 2)])
    centre = sky.unit_vector(ra, dec)
    alpha, delta = np.radians([ra, dec])
    east = np.array([-np.sin(alpha), np.cos(alpha), 0])
    north = np.array([-np.sin(delta) * np.cos(alpha), -np.sin(delta) * np.sin(alpha), np.cos(delta)])
    away = np.outer(np.sin(angle), east) + np.outer(np.cos(angle), north)
    x, y, z = (np.cos(distance)[:, None] * centre + np.sin(distance)[:, None] * away).T
    return np.degrees(np.arctan2(y, x)) % 360 % 360, np.degrees(np.arctan2(z, np.hypot(x, y)))


def holds(cover, position, numbers):
    """Tell of each number whether it lies in a range of a position."""
    low, high = cover.low[cover.position == position], cover.high[cover.position == position]
    return ((low[:, None] <= numbers) & (numbers <= high[:, None])).any(axis=0)


@given(positions, radii, finenesses)
@example((0.0, 90.0), 0.1 * ARCSEC, 1.0)
@example((0.0, -90.0), 1.0, 4.0)
@example((0.0, 0.0), 2 * ARCSEC, 4.0)
@example((359.99999999999994, 41.8103148957786), 1 / 60, 1.0)
def test_every_point_of_a_cone_is_covered(place, radius, fineness):
    ra, dec = place
    cover = sky.cover(ra, dec, radius, fineness)
    assert holds(cover, 0, sky.pixel(*points_of_a_cone(ra, dec, radius))).all()


@given(st.lists(positions, min_size=1, max_size=5), radii, finenesses)
def test_a_cover_is_few_ranges_sorted_and_apart(places, radius, fineness):
    ra, dec = np.transpose(places)
    cover = sky.cover(ra, dec, radius, fineness)
    assert set(cover.position) == set(range(len(places)))
    assert np.bincount(cover.position).max() <= 8
    assert (cover.low <= cover.high).all()
    assert cover.low.min() >= 0
    assert cover.high.max() < 12 * 4**sky.ORDER
    assert (np.diff(cover.position) >= 0).all()
    same = np.diff(cover.position) == 0
    assert (cover.low[1:][same] > cover.high[:-1][same] + 1).all(), "ranges that touch are one"


@given(st.lists(positions, min_size=1, max_size=5), radii, finenesses)
def test_many_cones_are_covered_like_single_ones(places, radius, fineness):
    ra, dec = np.transpose(places)
    together = sky.cover(ra, dec, radius, fineness)
    for number, (ra, dec) in enumerate(places):
        alone = sky.cover(ra, dec, radius, fineness)
        mine = together.position == number
        np.testing.assert_array_equal(together.low[mine], alone.low)
        np.testing.assert_array_equal(together.high[mine], alone.high)


@given(positions, st.floats(-8, 1).map(lambda power: 10.0**power))
def test_a_cover_is_not_much_larger_than_the_cone(place, radius):
    """Or an answer would test the whole sky: all ranges lie within a few dozen radii."""
    ra, dec = place
    cover = sky.cover(ra, dec, radius)
    area = (cover.high - cover.low + 1).sum() * 4 * np.pi / (12 * 4**sky.ORDER)
    assert area < 1000 * np.pi * np.radians(radius) ** 2


def test_cone_of_180_degrees_covers_the_sky():
    for place in ((0, 0), (123, 90), (200, -33)):
        cover = sky.cover(*place, 180)
        assert (cover.low.tolist(), cover.high.tolist()) == ([0], [12 * 4**29 - 1])


@given(st.lists(positions, min_size=1))
def test_a_pixel_holds_its_position(places):
    ra, dec = np.array(places).T
    numbers = sky.pixel(ra, dec)
    assert numbers.dtype == np.int64
    assert ((numbers >= 0) & (numbers < 12 * 4**sky.ORDER)).all()
    centres = np.stack(healpix.pix2vec(2**sky.ORDER, numbers, nest=True), axis=-1)
    chords = np.linalg.norm(centres - sky.unit_vector(ra, dec), axis=-1)
    assert (sky.separation(chords) < 0.001).all(), "pixels of order 29 are less than a milliarcsec wide"
    assert [int(sky.pixel(*place)) for place in places] == numbers.tolist()


def test_the_ends_of_the_sky_have_pixels():
    assert sky.pixel(0, 90) != sky.pixel(0, -90)
    base = 4**sky.ORDER
    assert sky.pixel([0, 90, 180, 270], [90, 90, 90, 90]).tolist() == [base * number - 1 for number in (1, 2, 3, 4)]
    assert sky.pixel([0, 90, 180, 270], [-90, -90, -90, -90]).tolist() == [base * number for number in (8, 9, 10, 11)]


@given(positions)
def test_unit_vectors_have_unit_length(place):
    assert np.linalg.norm(sky.unit_vector(*place)) == pytest.approx(1, abs=4e-16)


def test_unit_vectors_of_the_axes():
    axes = sky.unit_vector([0, 90, 180, 0, 0], [0, 0, 0, 90, -90])
    np.testing.assert_allclose(axes, [[1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, 0, 1], [0, 0, -1]], atol=2e-16)


@given(st.floats(0, 180))
def test_separation_undoes_chord(angle):
    assert sky.separation(sky.chord(angle)) == pytest.approx(
        3600 * angle, rel=1e-12 if angle < 170 else 1e-7, abs=1e-300
    )


@given(st.floats(0, 180), st.floats(0, 180))
def test_a_larger_angle_has_no_smaller_chord(one, other):
    assert (sky.chord(one) <= sky.chord(other)) == (one <= other) or np.isclose(one, other, rtol=1e-7)


def test_chords_equal_twice_the_sine_of_half_the_angle():
    assert sky.chord(0) == 0
    assert sky.chord(60) == pytest.approx(1, rel=1e-15)
    assert sky.chord(180) == sky.chord(181) == 2
    assert sky.chord(0.1 * ARCSEC) == pytest.approx(np.radians(0.1 * ARCSEC), rel=1e-12)
    assert sky.separation([0, 2, 2.0000000000000004]).tolist() == [0, 648000, 648000]
