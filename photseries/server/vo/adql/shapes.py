"""The geometry of ADQL: shapes, and conditions and values of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlglot import exp

from photseries.server.vo.adql import geometry
from photseries.server.vo.adql.geometry import Bind, Circle, PairCondition, Point, Polygon
from photseries.server.vo.adql.grammar import refused
from photseries.server.vo.adql.nodes import constant, name_of, require, without_system
from photseries.server.vo.adql.relations import Scope

__all__ = ["COMPARISONS", "Shapes"]

COMPARISONS: Final[Mapping[type[exp.Expr], str]] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
}  # fmt: skip

_ONLY_NUMBERS: Final = "{} accepts numbers and arithmetic of numbers, such as 10.0/60, but no columns or functions."


@dataclass(frozen=True)
class Shapes:
    """Prints the geometry of a query; ``bind`` binds a value, and ``sql`` prints a value or a condition."""

    bind: Bind
    sql: Callable[[exp.Expr, Scope], str]

    def call(self, name: str, node: exp.Expr, scope: Scope) -> str | None:
        """Print the value of a geometric function; None for other functions."""
        match name:
            case "CONTAINS" | "INTERSECTS":
                return f"CAST(({self._relates(node, scope)[0]}) AS integer)"
            case "DISTANCE":
                return geometry.distance(*self._two_points(node, scope), self.bind)
            case "COORD1" | "COORD2":
                return self._coordinate(name, node, scope)
        return None

    def comparison(self, node: exp.Expr, scope: Scope) -> tuple[str, PairCondition | None] | None:
        """Print a geometric comparison; None for other comparisons."""
        if type(node) not in COMPARISONS:
            return None
        left, right = node.this.unnest(), node.expression.unnest()
        for call, other, order in ((left, right, (exp.LT, exp.LTE)), (right, left, (exp.GT, exp.GTE))):
            name = call.name.upper() if isinstance(call, exp.Anonymous) else ""
            if name in ("CONTAINS", "INTERSECTS") and isinstance(node, exp.EQ) and constant(other) in (0, 1):
                condition, pair = self._relates(call, scope)
                return (condition, pair) if constant(other) else (f"NOT ({condition})", None)
            if name == "DISTANCE" and type(node) in order:
                first, second = self._two_points(call, scope)
                radius = constant(other)
                sql = self.sql(other, scope) if radius is None else ""
                return geometry.within(first, second, sql, radius, self.bind, strict=type(node) in (exp.LT, exp.GT))
        return None

    def _relates(self, call: exp.Expr, scope: Scope) -> tuple[str, PairCondition | None]:
        """Print CONTAINS or INTERSECTS as a condition."""
        name = call.name.upper()
        first, second = self._two(call)
        inner, outer = self._region(first, scope), self._region(second, scope)
        if name == "INTERSECTS" and isinstance(outer, Point):
            inner, outer = outer, inner
        match inner, outer:
            case Point(), Point():
                return geometry.within(inner, outer, "0", 0.0, self.bind)
            case Point(), Circle():
                return geometry.within(inner, outer.centre, outer.radius, outer.constant, self.bind)
            case Point(), Polygon():
                return geometry.inside_polygon(inner, outer, self.bind), None
            case Circle(), Circle():
                sign = "-" if name == "CONTAINS" else "+"
                radius = None
                if inner.constant is not None and outer.constant is not None:
                    radius = outer.constant - inner.constant if name == "CONTAINS" else outer.constant + inner.constant
                return geometry.within(
                    inner.centre, outer.centre, f"({outer.radius} {sign} {inner.radius})", radius, self.bind
                )
        raise refused(
            f"{name} of these two shapes is not available: use a POINT in a CIRCLE, BOX or POLYGON, or two CIRCLEs."
        )

    def _region(self, node: exp.Expr, scope: Scope) -> Point | Circle | Polygon:  # noqa: PLR0911  (one for each shape)
        """Return the shape of an argument."""
        node = node.unnest()
        if isinstance(node, exp.Column):
            return self._column_point(node, scope)
        name = node.name.upper() if isinstance(node, exp.Anonymous) else ""
        arguments = without_system(node.expressions) if name in ("POINT", "CIRCLE", "BOX", "POLYGON") else []
        match name, arguments:
            case "POINT", [lon, lat]:
                return self._point(lon, lat, scope)
            case "CIRCLE", [centre, radius]:
                return self._circle(self._as_point(centre, scope), radius, scope)
            case "CIRCLE", [lon, lat, radius]:
                return self._circle(self._point(lon, lat, scope), radius, scope)
            case "BOX", [centre, width, height]:
                return self._box(self._as_point(centre, scope), width, height)
            case "BOX", [lon, lat, width, height]:
                return self._box(self._point(lon, lat, scope), width, height)
            case "POLYGON", [_, _, _, *_]:
                return geometry.polygon(self._vertices(arguments, scope))
        raise refused(f"{name or name_of(node)} is not a shape, or has the wrong number of arguments.")

    def _column_point(self, node: exp.Column, scope: Scope) -> Point:
        relation, _, visible = scope.resolve(node)
        if relation is None or relation.position is None or visible.column.xtype != "adql:REGION":
            raise refused(f"The column {node.name!r} is not a shape: use POINT(ra, dec).")
        lon, lat = (relation.columns[index].sql for index in relation.position)
        return Point(lon, lat, None, relation, relation.position)

    def _point(self, lon: exp.Expr, lat: exp.Expr, scope: Scope) -> Point:
        numbers = constant(lon), constant(lat)
        if numbers[0] is not None and numbers[1] is not None:
            if not -90 <= numbers[1] <= 90:
                raise refused(f"The declination {numbers[1]:g} is outside -90 to 90 deg.")
            ra = numbers[0] % 360
            return Point(self.bind(ra), self.bind(numbers[1]), (ra, numbers[1]))
        printed = self.sql(lon, scope), self.sql(lat, scope)
        if isinstance(lon, exp.Column) and isinstance(lat, exp.Column):
            (relation, first, _), (other, second, _) = scope.resolve(lon), scope.resolve(lat)
            if relation is not None and relation is other:
                return Point(*printed, None, relation, (first, second))
        return Point(*printed)

    def _as_point(self, node: exp.Expr, scope: Scope) -> Point:
        point = self._region(node, scope)
        if not isinstance(point, Point):
            raise refused(f"{name_of(node)} must be a POINT.")
        return point

    def _circle(self, centre: Point, radius: exp.Expr, scope: Scope) -> Circle:
        number = constant(radius)
        if number is not None and number < 0:
            raise refused("The radius of a circle must not be negative.")
        sql = self.sql(radius, scope) if number is None else self.bind(number)
        return Circle(centre, sql, number)

    def _box(self, centre: Point, width: exp.Expr, height: exp.Expr) -> Polygon:
        w, h = constant(width), constant(height)
        if centre.constant is None or w is None or h is None:
            raise refused(_ONLY_NUMBERS.format("BOX"))
        if not (0 < w < 180 and h > 0):
            raise refused("BOX needs a positive height, and a positive width below 180 deg.")
        ra, dec = centre.constant
        if abs(dec) + h / 2 > 90:
            raise refused("BOX must not reach beyond a pole.")
        corners = ((-1, -1), (1, -1), (1, 1), (-1, 1))
        return geometry.polygon([(ra + x * w / 2, dec + y * h / 2) for x, y in corners])

    def _vertices(self, arguments: Sequence[exp.Expr], scope: Scope) -> list[tuple[float, float]]:
        if isinstance(arguments[0].unnest(), exp.Anonymous):
            points = [self._as_point(argument, scope) for argument in arguments]
        else:
            if len(arguments) % 2 or len(arguments) < 6:
                raise refused("POLYGON needs the coordinates of at least three vertices.")
            points = [self._point(*pair, scope) for pair in zip(arguments[::2], arguments[1::2], strict=True)]
        constants = [point.constant for point in points if point.constant is not None]
        if len(constants) != len(points):
            raise refused(_ONLY_NUMBERS.format("POLYGON"))
        return constants

    def _two(self, node: exp.Expr) -> tuple[exp.Expr, exp.Expr]:
        require(node, "this", "expressions")
        if len(node.expressions) != 2:
            raise refused(f"{node.name.upper()} takes 2 arguments, not {len(node.expressions)}.")
        first, second = node.expressions
        return first, second

    def _two_points(self, node: exp.Expr, scope: Scope) -> tuple[Point, Point]:
        if len(node.expressions) == 4:
            require(node, "this", "expressions")
            lon, lat, other_lon, other_lat = node.expressions
            return self._point(lon, lat, scope), self._point(other_lon, other_lat, scope)
        first, second = self._two(node)
        return self._as_point(first, scope), self._as_point(second, scope)

    def _coordinate(self, name: str, node: exp.Expr, scope: Scope) -> str:
        if len(node.expressions) != 1:
            raise refused(f"{name} takes 1 argument.")
        point = self._as_point(node.expressions[0], scope)
        return point.lon if name == "COORD1" else point.lat
