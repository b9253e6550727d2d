"""The printers of values and conditions, one for each allowed construct."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sqlglot import exp

from photseries.server.vo.adql.functions import AGGREGATES, FUNCTIONS, type_of
from photseries.server.vo.adql.geometry import PairCondition
from photseries.server.vo.adql.grammar import refused
from photseries.server.vo.adql.nodes import name_of, number, require
from photseries.server.vo.adql.relations import Scope
from photseries.server.vo.adql.shapes import COMPARISONS, Shapes
from photseries.server.vo.tables import MAX_TEXT, TapColumn

__all__ = ["Expressions"]

_OPERATORS: Final[Mapping[type[exp.Expr], str]] = {
    **COMPARISONS,
    exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.And: "AND", exp.Or: "OR",
}  # fmt: skip

#: The operands of a construct, and its template in SQL. The length of ``||`` is limited, because nested queries could
#: double it at each level.
_TEMPLATES: Final[Mapping[type[exp.Expr], tuple[tuple[str, ...], str]]] = {
    **{kind: (("this", "expression"), f"({{}} {operator} {{}})") for kind, operator in _OPERATORS.items()},
    exp.DPipe: (("this", "expression"), f"left({{}} || {{}}, {MAX_TEXT})"),
    exp.Between: (("this", "low", "high"), "({} BETWEEN {} AND {})"),
    exp.Neg: (("this",), "(- {})"),
    exp.Not: (("this",), "(NOT {})"),
    exp.Paren: (("this",), "({})"),
}

#: Maximum length of an expression or a SELECT in SQL, and maximum sum of these lengths, in which an expression counts
#: again with each one that contains it.
MAX_SQL: Final = 1_000_000
MAX_PRINTED: Final = 50_000_000


class Expressions:
    """Prints the expressions of a query; ``query`` prints the queries in them.

    Attributes
    ----------
    values : dict
        The values of the placeholders.
    """

    def __init__(self, query: Callable[[exp.Expr, Scope], tuple[str, list[TapColumn]]]) -> None:
        self.values: dict[str, object] = {}
        self._printed = 0
        self._query = query
        self._shapes = Shapes(self.bind, self.sql)

    def bounded(self, printed: str) -> str:
        """Return a part of the query in SQL; raise InvalidError if it, or all parts together, are too long."""
        self._printed += len(printed)
        if len(printed) > MAX_SQL or self._printed > MAX_PRINTED:
            raise refused("An expression of the query is too long, because a function repeats its arguments in SQL.")
        return printed

    def bind(self, value: object) -> str:
        """Bind a value and return its placeholder."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"%({name})s"

    def conditions(self, node: exp.Expr | None, scope: Scope) -> tuple[list[str], list[PairCondition]]:
        """Print the conjuncts of a condition, and return the pairs among them."""
        conditions: list[str] = []
        pairs: list[PairCondition] = []
        stack = [] if node is None else [node]
        while stack:
            condition = stack.pop().unnest()
            if isinstance(condition, exp.And):
                require(condition, "this", "expression")
                stack += [condition.expression, condition.this]
                continue
            geometric = self._shapes.comparison(condition, scope)
            if geometric is not None and geometric[1] is not None:
                pairs.append(geometric[1])
            printed = self.sql(condition, scope) if geometric is None else geometric[0]
            conditions.append(self.bounded(f"({printed})"))
        return conditions, pairs

    def sql(self, node: exp.Expr, scope: Scope) -> str:
        """Print a value or a condition.

        Raises
        ------
        InvalidError
            When the list has no such construct.
        """
        printer = _PRINTERS.get(type(node))
        if printer is None:
            raise refused(f"{name_of(node)} is not accepted in queries.")
        return self.bounded(printer(self, node, scope))

    def _templated(self, node: exp.Expr, scope: Scope) -> str:
        names, template = _TEMPLATES[type(node)]
        require(node, *names)
        geometric = self._shapes.comparison(node, scope)
        if geometric is not None:
            return f"({geometric[0]})"
        return template.format(*(self.sql(node.args[name], scope) for name in names))

    def _column(self, node: exp.Expr, scope: Scope) -> str:
        require(node, "this", "table", "db")
        if not isinstance(node, exp.Column) or not isinstance(node.this, exp.Identifier):
            raise refused("* is accepted in SELECT * and COUNT(*) only.")
        return scope.resolve(node)[2].sql

    def _literal(self, node: exp.Expr, scope: Scope) -> str:
        return self.bind(node.this if node.args.get("is_string") else number(node))

    def _constant(self, node: exp.Expr, scope: Scope) -> str:
        require(node, "this")
        return "NULL" if isinstance(node, exp.Null) else "TRUE" if node.this else "FALSE"

    def _in(self, node: exp.Expr, scope: Scope) -> str:
        require(node, "this", "expressions", "query")
        value, query = self.sql(node.this, scope), node.args.get("query")
        if query is not None:
            return f"({value} IN ({self._single(query, scope)}))"
        return f"({value} IN ({', '.join(self.sql(expression, scope) for expression in node.expressions)}))"

    def _is(self, node: exp.Expr, scope: Scope) -> str:
        require(node, "this", "expression")
        if not isinstance(node.expression, exp.Null):
            raise refused("IS is accepted with NULL only.")
        return f"({self.sql(node.this, scope)} IS NULL)"

    def _like(self, node: exp.Expr, scope: Scope) -> str:
        require(node, "this", "expression", "negate")
        word = ("NOT " if node.args.get("negate") else "") + ("ILIKE" if isinstance(node, exp.ILike) else "LIKE")
        return f"({self.sql(node.this, scope)} {word} {self.sql(node.expression, scope)} ESCAPE '')"

    def _exists(self, node: exp.Expr, scope: Scope) -> str:
        require(node, "this")
        return f"EXISTS ({self._query(node.this, scope)[0]})"

    def _scalar(self, node: exp.Expr, scope: Scope) -> str:
        if not isinstance(node.this, exp.Query):
            raise refused(f"{name_of(node.this)} is not accepted in queries.")
        return f"({self._single(node, scope)})"

    def _single(self, node: exp.Expr, scope: Scope) -> str:
        sql, columns = self._query(node, scope)
        if len(columns) != 1:
            raise refused(f"A query that is a value must have one column, not {len(columns)}.")
        return sql

    def _case(self, node: exp.Expr, scope: Scope) -> str:
        require(node, "this", "ifs", "default")
        subject = "" if node.this is None or not node.args.get("this") else f" {self.sql(node.this, scope)}"
        branches = []
        for branch in node.args["ifs"]:
            require(branch, "this", "true")
            branches.append(f" WHEN {self.sql(branch.this, scope)} THEN {self.sql(branch.args['true'], scope)}")
        default = node.args.get("default")
        ending = "" if default is None else f" ELSE {self.sql(default, scope)}"
        return f"(CASE{subject}{''.join(branches)}{ending} END)"

    def _cast(self, node: exp.Expr, scope: Scope) -> str:
        require(node, "this", "to")
        name, length = type_of(node.args["to"])
        sql = f"CAST({self.sql(node.this, scope)} AS {name})"
        return sql if length is None else f"left({sql}, {length})"

    def _function(self, node: exp.Expr, scope: Scope) -> str:
        require(node, "this", "expressions")
        name = node.this.upper() if isinstance(node.this, str) else ""
        arguments = node.expressions
        if name in AGGREGATES:
            return self._aggregate(name, arguments, scope)
        if (geometric := self._shapes.call(name, node, scope)) is not None:
            return geometric
        function = FUNCTIONS.get(name)
        if function is None:
            raise refused(f"The function {name or name_of(node)} is not available.")
        if not function.minimum <= len(arguments) <= function.maximum:
            raise refused(f"{name} takes {function.minimum} to {function.maximum} arguments, not {len(arguments)}.")
        printed = [self.sql(argument, scope) for argument in arguments]
        filled = printed + ["0"] * (2 - len(printed))
        return function.template.format(*filled, all=", ".join(printed))

    def _aggregate(self, name: str, arguments: Sequence[exp.Expr], scope: Scope) -> str:
        if len(arguments) != 1:
            raise refused(f"{name} takes one argument.")
        (argument,) = arguments
        if isinstance(argument, exp.Star) and name == "COUNT":
            require(argument)
            return "count(*)"
        if isinstance(argument, exp.Distinct):
            require(argument, "expressions")
            if len(argument.expressions) != 1:
                raise refused(f"{name}(DISTINCT ...) takes one expression.")
            return f"{name.lower()}(DISTINCT {self.sql(argument.expressions[0], scope)})"
        return f"{name.lower()}({self.sql(argument, scope)})"


_Printer = Callable[[Expressions, exp.Expr, Scope], str]

#: All constructs allowed in expressions.
_PRINTERS: Final[Mapping[type[exp.Expr], _Printer]] = {
    **dict.fromkeys(_TEMPLATES, Expressions._templated),
    **dict.fromkeys((exp.Null, exp.Boolean), Expressions._constant),
    **dict.fromkeys((exp.Like, exp.ILike), Expressions._like),
    exp.Column: Expressions._column,
    **dict.fromkeys((exp.Literal, exp.HexString), Expressions._literal),
    exp.In: Expressions._in,
    exp.Is: Expressions._is,
    exp.Exists: Expressions._exists,
    exp.Subquery: Expressions._scalar,
    exp.Case: Expressions._case,
    exp.Cast: Expressions._cast,
    exp.Anonymous: Expressions._function,
}
