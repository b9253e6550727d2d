"""Helpers of all printers: check for unsupported parts of nodes, and extract numbers and names."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sqlglot import exp

from photseries.server.vo.adql.grammar import refused

__all__ = ["alias_of", "constant", "identifier", "inner", "integer", "name_of", "number", "require", "without_system"]

#: Arguments of a node that can be ignored.
_HARMLESS: Final = frozenset({"nested", "typed", "safe", "_type", "operation_modifiers", "is_string"})

_MAX_OFFSET: Final = 2**62

#: Maximum number of digits of an integer, decimal and hexadecimal: those of 64 bits. A longer number is a float.
_MAX_DIGITS: Final = 20
_MAX_HEX: Final = 16

_ARITHMETIC: Final[Mapping[type[exp.Expr], Callable[[float, float], float]]] = {
    exp.Add: operator.add, exp.Sub: operator.sub, exp.Mul: operator.mul, exp.Div: operator.truediv,
}  # fmt: skip


def require(node: exp.Expr, *allowed: str) -> None:
    """Refuse a node with arguments that the printer does not handle.

    Raises
    ------
    InvalidError
    """
    for name, value in node.args.items():
        if name not in allowed and name not in _HARMLESS and value not in (None, False, [], ""):
            raise refused(f"{name.strip('_').upper()} is not accepted in {name_of(node)}.")


def name_of(node: exp.Expr) -> str:
    """Return the name of a node in error messages."""
    if isinstance(node, exp.Anonymous):
        return f"the function {node.name.upper()}"
    return type(node).__name__.upper()


def alias_of(node: exp.Expr) -> exp.Identifier:
    """Return the name in an alias; raise InvalidError for anything else."""
    require(node, "this")
    return identifier(node.this)


def identifier(node: object) -> exp.Identifier:
    """Return an identifier node.

    Raises
    ------
    InvalidError
        When it is anything else, such as a placeholder.
    """
    if isinstance(node, exp.Identifier):
        return node
    raise refused(f"{name_of(node) if isinstance(node, exp.Expr) else 'This'} cannot be a name.")


def inner(node: exp.Expr, name: str) -> exp.Expr | None:
    """Return the content of a clause, or None."""
    clause = node.args.get(name)
    if clause is None:
        return None
    require(clause, "this")
    inner: exp.Expr = clause.this
    return inner


def number(node: exp.Expr) -> int | float:
    """Return the number of a literal."""
    text, is_hexadecimal = str(node.this), isinstance(node, exp.HexString)
    if is_hexadecimal and len(text) <= _MAX_HEX:
        return int(text, 16)
    if not is_hexadecimal and text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS:
        return int(text)
    try:
        value = math.inf if is_hexadecimal else float(text)
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        raise refused(f"{text[:40]!r} is not a number, or too large.")
    return value


def integer(node: exp.Expr, construct: str) -> int:
    """Return the integer of a literal; the error names the construct that needs it."""
    value = number(node) if isinstance(node, exp.Literal) and not node.args.get("is_string") else -1
    if not isinstance(value, int) or not 0 <= value <= _MAX_OFFSET:
        raise refused(f"{construct} needs a whole number.")
    return value


def constant(node: exp.Expr) -> float | None:
    """Return the value of a constant numeric expression, or None."""
    node = node.unnest()
    match node:
        case exp.Literal() | exp.HexString() if not node.args.get("is_string"):
            return float(number(node))
        case exp.Neg():
            value = constant(node.this)
            return None if value is None else -value
        case exp.Add() | exp.Sub() | exp.Mul() | exp.Div():
            left, right = constant(node.this), constant(node.expression)
            if left is None or right is None or (isinstance(node, exp.Div) and not right):
                return None
            value = _ARITHMETIC[type(node)](left, right)
            return value if math.isfinite(value) else None
    return None


def without_system(arguments: Sequence[exp.Expr]) -> list[exp.Expr]:
    """Leave out the coordinate system that ADQL 2.0 had before the arguments of a shape."""
    if not arguments or not isinstance(arguments[0], exp.Literal) or not arguments[0].args.get("is_string"):
        return list(arguments)
    if arguments[0].name.strip().upper() not in ("", "ICRS", "ICRS GEOCENTER"):
        raise refused(f"The coordinate system {arguments[0].name[:40]!r} is not available: positions are ICRS.")
    return list(arguments[1:])
