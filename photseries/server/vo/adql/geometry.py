"""Spherical geometry as SQL: points, circles, convex polygons, and the conditions between them.

A condition has two parts: ranges of HEALPix numbers, for which the archive has an index, and an exact test on unit
vectors. The test compares chords, because cosines do not resolve small angles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from photseries.lightcurve import sky
from photseries.server.vo.adql.grammar import refused
from photseries.server.vo.adql.relations import Relation

__all__ = ["Circle", "PairCondition", "Point", "Polygon", "distance", "inside_polygon", "polygon", "within"]

#: Pixel size as a fraction of the radius of a cone, as in the cone search of the API.
FINENESS: Final = 4.0
#: Tolerance for a point on the edge of a polygon.
_ROUNDING: Final = 1e-15
#: More than the square of any chord, rounding included.
_BEYOND: Final = 5.0

Bind = Callable[[object], str]


@dataclass(frozen=True)
class Point:
    """A position as SQL [deg], with known properties.

    Parameters
    ----------
    lon, lat : str
    constant : tuple of float, optional
        The position if constant.
    relation, places : Relation, tuple of int, optional
        If it consists of two columns of one relation.
    """

    lon: str
    lat: str
    constant: tuple[float, float] | None = None
    relation: Relation | None = None
    places: tuple[int, int] | None = None

    @property
    def indexed(self) -> str | None:
        """The SQL name of the relation if this is its indexed position."""
        relation = self.relation
        return relation.alias if relation is not None and self.places == relation.position else None

    def vector(self, bind: Bind) -> tuple[str, str, str]:
        """Return its unit vector as SQL."""
        if self.constant is not None:
            x, y, z = (bind(value) for value in sky.unit_vector(*self.constant).tolist())
            return x, y, z
        if self.indexed:
            return f"{self.indexed}.unit_x", f"{self.indexed}.unit_y", f"{self.indexed}.unit_z"
        lon, lat = f"radians(CAST({self.lon} AS float8))", f"radians(CAST({self.lat} AS float8))"
        return f"cos({lat}) * cos({lon})", f"cos({lat}) * sin({lon})", f"sin({lat})"


@dataclass(frozen=True)
class Circle:
    """A circle: its radius as SQL [deg], and as a number if constant."""

    centre: Point
    radius: str
    constant: float | None = None


@dataclass(frozen=True)
class Polygon:
    """A convex polygon: the half-spaces of the normals of its edges, and a circumscribed circle [deg]."""

    normals: NDArray[np.float64]
    centre: tuple[float, float]
    radius: float


@dataclass(frozen=True)
class PairCondition:
    """A condition that an indexed position lies within a radius of the position of a row of an upload."""

    near: Relation
    upload: Relation
    places: tuple[int, int]
    radius: float


def polygon(vertices: Sequence[tuple[float, float]]) -> Polygon:
    """Return the polygon of vertices [deg] in either orientation.

    Raises
    ------
    InvalidError
        When it is not convex, or as large as half the sky.
    """
    corners = sky.unit_vector([ra for ra, _ in vertices], [dec for _, dec in vertices])
    middle = corners.sum(axis=0)
    normals = np.cross(corners, np.roll(corners, -1, axis=0))
    normals *= np.sign(normals @ middle).sum() or 1.0
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-300
    length = float(np.linalg.norm(middle))
    if length < 1e-9 or (normals @ corners.T < -1e-12).any():
        raise refused("POLYGON and BOX must be convex, smaller than half the sky, and without repeated vertices.")
    x, y, z = (middle / length).tolist()
    chords = np.linalg.norm(corners - middle / length, axis=1)
    radius = float(sky.separation(chords.max())) / 3600
    centre = float(np.degrees(np.arctan2(y, x))) % 360, float(np.degrees(np.arcsin(np.clip(z, -1, 1))))
    return Polygon(normals, centre, radius)


def inside_polygon(point: Point, region: Polygon, bind: Bind) -> str:
    """Return the condition that a point lies in a polygon."""
    vector = point.vector(bind)
    tests = [
        f"{' + '.join(f'{bind(part)} * ({axis})' for part, axis in zip(normal, vector, strict=True))} >= {-_ROUNDING}"
        for normal in region.normals.tolist()
    ]
    return " AND ".join((*_ranges(point, region.centre, region.radius * 1.000001 + 1e-9, bind), *tests))


def distance(first: Point, other: Point, bind: Bind) -> str:
    """Return the angle between two points [deg] as SQL."""
    return f"degrees(2 * asin(least(sqrt({_squared_chord(first, other, bind)}) / 2, 1.0)))"


def within(
    first: Point, other: Point, radius: str, constant: float | None, bind: Bind, *, strict: bool = False
) -> tuple[str, PairCondition | None]:
    """Return the condition that two points lie within a radius, with index conditions if possible.

    Parameters
    ----------
    radius : str
        As SQL [deg].
    constant : float, optional
        The number if constant.
    bind : callable
    strict : bool
        Whether the radius itself is excluded.

    The condition is null, not false or true, for a position that is null.
    """
    sign = "<" if strict else "<="
    if constant is None:
        return f"{distance(first, other, bind)} {sign} {radius}", None
    if constant > 180 or (constant == 180 and not strict):
        limit = _BEYOND
    else:
        limit = -1.0 if constant < 0 else sky.chord(constant) ** 2
    test = f"{_squared_chord(first, other, bind)} {sign} {bind(limit)}"
    if not 0 <= constant < 180:  # all positions or none: an index is of no use
        return test, None
    for near, far in ((first, other), (other, first)):
        if near.indexed and far.constant is not None:
            return " AND ".join((*_ranges(near, far.constant, constant, bind), test)), None
        if near.indexed and near.relation and far.relation and far.relation.upload is not None and far.places:
            return test, PairCondition(near.relation, far.relation, far.places, constant)
    return test, None


def _squared_chord(point: Point, other: Point, bind: Bind) -> str:
    pairs = zip(point.vector(bind), other.vector(bind), strict=True)
    differences = [f"({first} - {second})" for first, second in pairs]
    return "(" + " + ".join(f"{difference} * {difference}" for difference in differences) + ")"


def _ranges(point: Point, centre: tuple[float, float], radius: float, bind: Bind) -> list[str]:
    if not point.indexed or radius >= 180:
        return []
    cover = sky.cover(*centre, radius, fineness=FINENESS)
    ranges = zip(cover.low.tolist(), cover.high.tolist(), strict=True)
    either = (f"{point.indexed}.healpix BETWEEN {bind(low)} AND {bind(high)}" for low, high in ranges)
    return [f"({' OR '.join(either)})"]
