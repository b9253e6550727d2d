"""Cones in the database against a brute force with astropy.

``make test-scale`` (SCALE=all) asks for 10,000 cones over 100,000 positions, ``make test`` for a fifth over a fifth.
"""

import io
import itertools
import os

import numpy as np
import pytest
from astropy.coordinates import angular_separation
from sqlalchemy import func, select

from photseries.errors import InvalidError
from photseries.lightcurve import sky
from photseries.parameters import Cone, Query, parse
from photseries.server.accounts import OPERATOR
from photseries.server.catalogue import cone_search
from photseries.server.catalogue.conditions import matching
from photseries.server.catalogue.models import Series
from tests.server.catalogue import rows

POSITIONS, SMALL, TINY, HUGE = (
    (100_000, 9_700, 1_000, 300) if os.environ.get("SCALE") == "all" else (20_000, 1_940, 200, 60)
)
ARCSEC = 1 / 3600

#: What an answer may get wrong: positions whose distance is that of the edge but for this part of it.
EDGE = 1e-9


def turned(ra, dec, distance, angle):
    """Give the points at some distances from points, in some directions; all in deg, shape (n,)."""
    ra, dec, distance, angle = np.radians([ra, dec, distance, angle])
    sine = np.sin(dec) * np.cos(distance) + np.cos(dec) * np.sin(distance) * np.cos(angle)
    there = np.arcsin(np.clip(sine, -1, 1))
    along = np.arctan2(np.sin(angle) * np.sin(distance) * np.cos(dec), np.cos(distance) - np.sin(dec) * np.sin(there))
    return np.degrees(ra + along) % 360 % 360, np.degrees(there)


@pytest.fixture(scope="module")
def sky_of_points():
    """Positions all over the sky, and crowds of all sizes at the poles, at ra = 0 and around anywhere."""
    chance = np.random.default_rng(20261121)
    free = POSITIONS * 2 // 5
    ra, dec = chance.uniform(0, 360, free), np.degrees(np.arcsin(chance.uniform(-1, 1, free)))
    centres = [(0, 90), (0, -90), (0, 0), (0, 41.8103148957786), (45, -41.8103148957786), (180, 0)]
    centres += list(zip(ra[:54], dec[:54], strict=True))
    crowd = np.repeat(np.array(centres).T, (POSITIONS - free) // len(centres), axis=1)
    size = 10 ** chance.uniform(np.log10(0.01 * ARCSEC), 1, crowd.shape[1])
    crowded = turned(crowd[0], crowd[1], size, chance.uniform(0, 360, crowd.shape[1]))
    exact = np.array([(0, 90), (0, -90), (0, 0), (123, 90), (359.99999999999994, 0), (180, 0)], float).T
    ra, dec = np.concatenate([(ra, dec), crowded, exact], axis=1)[:, -POSITIONS:]
    return ra, dec


@pytest.fixture(scope="module")
def catalogue(sky_of_points, database_url, tmp_path_factory):
    ra, dec = sky_of_points
    one = rows.values(audience="{}", inferred="{}", medians="{}", minima="{}", maxima="{}", stds="{}")
    own = ("ra", "dec", "healpix", "id", "series_obj_id", "filename")
    rest = [name for name in one if name not in own and one[name] is not None]
    constant = "\t".join(str(one[name]) for name in rest)
    lines = (
        f"{alpha!r}\t{delta!r}\t{number}\t{row}\t{row}\t{row}\t{constant}\n"
        for row, (alpha, delta, number) in enumerate(
            zip(ra.tolist(), dec.tolist(), sky.pixel(ra, dec).tolist(), strict=True), 1
        )
    )
    with rows.emptied(database_url, tmp_path_factory.mktemp("cones")) as services:
        with services.catalogue.transaction() as connection:
            cursor = connection.connection.cursor()
            cursor.copy_from(io.StringIO("".join(lines)), "photometric_series", columns=(*own, *rest))
        with services.catalogue.reading() as connection:
            connection.exec_driver_sql("VACUUM ANALYZE photometric_series")
        yield services.catalogue


def cones(points):
    """Centres near and on positions, at the poles and at ra = 0; radii of 0.1 arcsec to 180 deg."""
    chance = np.random.default_rng(20261122)
    count = SMALL + HUGE
    radius = 10 ** chance.uniform(np.log10(0.1 * ARCSEC), np.log10(2), count)
    radius[:HUGE] = chance.uniform(2, 180, HUGE)
    radius[:4] = 90, 180, 179.9999999, 90 - 1e-9
    radius[HUGE : HUGE + TINY] = 0.1 * ARCSEC
    there = points[:, chance.integers(0, points.shape[1], count)]
    ra, dec = turned(there[0], there[1], radius * chance.choice([0, 0.5, 1, 1.5], count), chance.uniform(0, 360, count))
    ra[chance.random(count) < 0.05] = 0.0
    pole = chance.random(count) < 0.05
    dec[pole] = 90.0 * chance.choice([-1, 1], pole.sum())
    return zip(ra.tolist(), dec.tolist(), radius.tolist(), strict=True)


def truth(points, vectors, cone):
    """Give the ids that are inside for certain, and those on the edge.

    Only positions that a cosine does not exclude by far are left to astropy, which is the judge.
    """
    cosine = vectors @ sky.unit_vector(cone.ra, cone.dec)
    (candidates,) = np.nonzero(cosine > np.cos(np.radians(cone.radius)) - 1e-9)
    distance = np.degrees(angular_separation(*np.radians([cone.ra, cone.dec]), *np.radians(points[:, candidates])))
    inside = candidates[distance <= cone.radius * (1 - EDGE)] + 1
    edge = candidates[np.abs(distance - cone.radius) <= cone.radius * EDGE] + 1
    return inside, edge


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_cones_equal_a_brute_force(catalogue, sky_of_points):
    points = np.array(sky_of_points)
    vectors = sky.unit_vector(*points)
    found_any = asked = 0
    with catalogue.reading() as connection:
        for cone in map(Cone._make, cones(points)):
            statement = select(func.array_agg(Series.id)).where(*matching(OPERATOR, Query(cone=cone)))
            found = np.array(connection.scalar(statement) or [], dtype=int)
            inside, edge = truth(points, vectors, cone)
            surplus = np.setxor1d(found, inside, assume_unique=True)
            assert np.isin(surplus, edge).all(), cone
            asked += 1
            found_any += len(found) > 0
    assert asked == SMALL + HUGE
    assert found_any > asked / 2


@pytest.mark.parametrize("include_total", [True, False])
@pytest.mark.parametrize(("radius", "count"), [(0.1 * ARCSEC, 1000), (1 / 60, 30), (2, 5)])
def test_positions_equal_a_brute_force(catalogue, sky_of_points, monkeypatch, radius, count, include_total):
    monkeypatch.setattr(cone_search, "PAIRS", 1000)  # so that the pairs of one query are computed in several parts
    points = np.array(sky_of_points)
    vectors = sky.unit_vector(*points)
    centres = [[ra, dec] for ra, dec, _ in itertools.islice(cones(points), HUGE, HUGE + count)]
    arguments, found = {"radius": [repr(radius)], "numPerPage": ["500"]}, []
    arguments["includeTotal"] = [str(include_total).lower()]
    totals = set()
    with catalogue.reading() as connection:
        query = parse(arguments, centres)
        while query:
            page, total = cone_search.find_near(connection, OPERATOR, query, query.positions)
            totals.add(total)
            found += [(one.fields["position"], one.fields["separation"], one.fields["id"]) for one in page.records]
            query = parse({**arguments, "cursor": [page.cursor]}, centres) if page.cursor else None
    assert found == sorted(found)
    assert len(found) > count
    assert totals == {len(found) if include_total else None}
    pairs = {(position, number) for position, _, number in found}
    assert len(pairs) == len(found)
    for position, (ra, dec) in enumerate(centres):
        inside, edge = truth(points, vectors, Cone(ra, dec, radius))
        assert {number for place, number in pairs if place == position} ^ {*inside.tolist()} <= {*edge.tolist()}


def test_pages_by_number_are_those_by_cursor(catalogue, sky_of_points):
    centres = [[ra, dec] for ra, dec, _ in itertools.islice(cones(np.array(sky_of_points)), HUGE, HUGE + 300)]
    arguments = {"radius": ["0.001"], "numPerPage": ["7"], "includeTotal": ["false"]}
    cursor = {}
    with catalogue.reading() as connection:
        for number in range(1, 6):
            asked = [parse({**arguments, **more}, centres) for more in (cursor, {"pageNumber": [str(number)]})]
            pages = [cone_search.find_near(connection, OPERATOR, query, query.positions)[0] for query in asked]
            assert pages[0] == pages[1]
            assert len(pages[0].records) == 7
            cursor = {"cursor": [pages[0].cursor]}


def test_positions_with_too_many_series_are_refused(catalogue, monkeypatch):
    query = parse({"radius": ["90"]}, [[0, 0], [180, 0]])
    for limit, what in (("MAX_SERIES", "More than 100 series"), ("MAX_PAIRS", "pairs of a position and a series")):
        with monkeypatch.context() as patch, catalogue.reading() as connection:
            patch.setattr(cone_search, limit, 100)
            with pytest.raises(InvalidError, match=what) as refused:
                cone_search.find_near(connection, OPERATOR, query, query.positions)
            assert list(refused.value.fields) == ["radius"]


def test_a_radius_of_180_is_the_whole_sky(catalogue, sky_of_points):
    """The point opposite to the centre, too, whose chord may exceed 2 by rounding."""
    with catalogue.reading() as connection:
        for ra, dec in [(123.456, 7.89), *zip(*(axis[:40].tolist() for axis in sky_of_points), strict=True)]:
            cone = Query(cone=Cone((ra + 180) % 360, -dec, 180))
            statement = select(func.count()).select_from(Series).where(*matching(OPERATOR, cone))
            assert connection.scalar(statement) == POSITIONS
