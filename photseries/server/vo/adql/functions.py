"""The functions and cast types allowed in queries, with their PostgreSQL equivalents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from sqlglot import exp

from photseries.server.vo.adql.grammar import refused

__all__ = ["AGGREGATES", "FUNCTIONS", "Function", "type_of"]


class Function(NamedTuple):
    """The number of arguments of a function, and its SQL template with ``{0}`` for the first one, ``{all}`` for all."""

    minimum: int
    maximum: int
    template: str


def _numbers(name: str, number: int = 1) -> Function:
    casts = ", ".join(f"CAST({{{index}}} AS float8)" for index in range(number))
    return Function(number, number, f"{name}({casts})")


#: The text of a float has all its digits; a direct cast to numeric keeps 15.
_NUMERIC: Final = "CAST(CAST({%d} AS text) AS numeric)"
_ROUND: Final = f"CAST(%s({_NUMERIC % 0}, {{1}}) AS float8)"

FUNCTIONS: Final[Mapping[str, Function]] = {
    **{
        name: _numbers(name.lower())
        for name in ("ACOS", "ASIN", "ATAN", "COS", "COT", "DEGREES", "EXP", "RADIANS", "SIN", "SQRT", "TAN")
    },
    "ABS": Function(1, 1, "abs({0})"),
    "ATAN2": _numbers("atan2", 2),
    "CEILING": _numbers("ceil"),
    "COALESCE": Function(1, 100, "coalesce({all})"),
    "FLOOR": _numbers("floor"),
    "LOG": _numbers("ln"),
    "LOG10": _numbers("log"),
    "LOWER": Function(1, 1, "lower({0})"),
    "MOD": Function(2, 2, f"CAST(mod({_NUMERIC % 0}, {_NUMERIC % 1}) AS float8)"),
    "PI": Function(0, 0, "pi()"),
    "POWER": _numbers("power", 2),
    "RAND": Function(0, 1, "random()"),
    "ROUND": Function(1, 2, _ROUND % "round"),
    "TRUNCATE": Function(1, 2, _ROUND % "trunc"),
    "UPPER": Function(1, 1, "upper({0})"),
}

#: The aggregate functions; some keep the unit of their column.
AGGREGATES: Final[Mapping[str, bool]] = {"COUNT": False, "AVG": True, "MAX": True, "MIN": True, "SUM": True}

_TYPES: Final[Mapping[exp.DType, str]] = {
    exp.DType.SMALLINT: "smallint",
    exp.DType.INT: "integer",
    exp.DType.BIGINT: "bigint",
    exp.DType.FLOAT: "real",
    exp.DType.DOUBLE: "float8",
    exp.DType.CHAR: "text",
    exp.DType.VARCHAR: "text",
    exp.DType.TIMESTAMP: "timestamp",
}

_MAX_TEXT: Final = 10_000


def type_of(target: exp.DataType) -> tuple[str, int | None]:
    """Return the SQL type of a cast, and the length to which a text is truncated.

    Raises
    ------
    InvalidError
    """
    name = _TYPES.get(target.this)
    if name is None or set(target.args) - {"this", "nested", "expressions", "values"} or target.args.get("nested"):
        raise refused("CAST accepts SMALLINT, INTEGER, BIGINT, REAL, DOUBLE PRECISION, CHAR, VARCHAR and TIMESTAMP.")
    sizes = target.expressions
    if not sizes:
        return name, 1 if target.this is exp.DType.CHAR else None
    size = sizes[0].this.name if len(sizes) == 1 and isinstance(sizes[0], exp.DataTypeParam) else ""
    if name != "text" or not (size.isascii() and size.isdigit() and 0 < len(size) < 6 and int(size) <= _MAX_TEXT):
        raise refused(f"The length in CAST must be a whole number of at most {_MAX_TEXT:,}, of CHAR or VARCHAR.")
    return name, int(size)
