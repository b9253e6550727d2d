"""The translator: it walks the tree of a query and prints what it knows; for anything else there is no print."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlglot import exp

from photseries.server.vo.adql import geometry
from photseries.server.vo.adql.functions import AGGREGATES, FUNCTIONS, type_of
from photseries.server.vo.adql.geometry import Circle, Pair, Point, Polygon
from photseries.server.vo.adql.grammar import parse, refused
from photseries.server.vo.adql.relations import Relation, Scope, Upload, Visible
from photseries.server.vo.tables import TABLES, Column, Table, tap_schema

__all__ = ["Translation", "translate"]

_COMPARISONS: Final[Mapping[type[exp.Expr], str]] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
}  # fmt: skip
_BINARY: Final[Mapping[type[exp.Expr], str]] = {
    **_COMPARISONS,
    exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.DPipe: "||", exp.And: "AND", exp.Or: "OR",
}  # fmt: skip
_SETS: Final[Mapping[type[exp.Expr], str]] = {exp.Union: "UNION", exp.Except: "EXCEPT", exp.Intersect: "INTERSECT"}
_SIDES: Final = {"LEFT": "LEFT JOIN", "RIGHT": "RIGHT JOIN", "FULL": "FULL JOIN"}

#: Facts about a node that make no difference.
_HARMLESS: Final = frozenset({"nested", "typed", "safe", "_type", "nulls_first", "operation_modifiers", "is_string"})

_UPLOADS: Final = "tap_upload"
_MOST_OFFSET: Final = 2**62


@dataclass(frozen=True)
class Translation:
    """A query in SQL.

    Parameters
    ----------
    sql : str
        With a placeholder for each value.
    values : mapping
    columns : tuple of Column
        Of the result; those without a datatype have that of the database.
    top : int, optional
        How many rows the query itself wants at most.
    """

    sql: str
    values: Mapping[str, Any]
    columns: tuple[Column, ...]
    top: int | None


@dataclass
class _Join:
    """A relation of a FROM clause, how it is joined, and the conditions of its ON."""

    relation: Relation
    kind: str
    conditions: list[str]
    pairs: list[Pair]


def translate(query: str, uploads: Sequence[Upload] = (), limit: int | None = None) -> Translation:
    """Translate one query.

    Parameters
    ----------
    query : str
        ADQL 2.1.
    uploads : sequence of Upload
        Their cones are noted in them.
    limit : int, optional
        The most rows of the result.

    Raises
    ------
    InvalidError
        When it is no query, or uses something that is not allowed.
    """
    tree = parse(query)
    translator = _Translator(uploads)
    top = translator.top_of(tree)
    try:
        sql, columns = translator.query(tree, None, limit)
    except RecursionError as error:
        raise refused("The query is nested too deeply.") from error
    return Translation(sql, translator.values, tuple(columns), top)


class _Translator:
    """The translation of one query: the values that were bound, and the relations that are in sight."""

    def __init__(self, uploads: Sequence[Upload]) -> None:
        self.values: dict[str, Any] = {}
        self._uploads = uploads
        self._aliases = itertools.count()
        self._tables_with: list[tuple[exp.Identifier, str, list[Column]]] = []

    def bind(self, value: object) -> str:
        """Return the placeholder of a value."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"%({name})s"

    # Queries

    def query(self, node: exp.Expr, outer: Scope | None, limit: int | None = None) -> tuple[str, list[Column]]:
        """Print a query; its columns are o0, o1, ..."""
        known = len(self._tables_with)
        try:
            if isinstance(node, exp.Subquery):
                _require(node, "this", "with_", "order", "limit", "offset")
                if any(node.args.get(name) for name in ("with_", "order", "limit", "offset")):
                    raise refused("Write ORDER BY, TOP and OFFSET inside the parentheses of a query.")
                return self.query(node.this, outer, limit)
            if type(node) in _SETS:
                return self._set(node, outer, limit)
            if isinstance(node, exp.Select):
                return self._select(node, outer, limit)
            raise refused(f"QUERY must be a SELECT statement, not {_name(node)}.")
        finally:
            del self._tables_with[known:]

    def top_of(self, node: exp.Expr) -> int | None:
        """Return what TOP says of a query."""
        limit = node.args.get("limit")
        if limit is None:
            return None
        if not isinstance(limit, exp.Limit):
            raise refused("FETCH is not accepted: use TOP.")
        _require(limit, "expression")
        return _whole(limit.expression, "TOP")

    def _set(self, node: exp.Expr, outer: Scope | None, limit: int | None) -> tuple[str, list[Column]]:
        _require(node, "this", "expression", "distinct", "with_", "order", "limit", "offset")
        beginning = self._with(node)
        (left, columns), (right, others) = self.query(node.this, outer), self.query(node.expression, outer)
        if len(columns) != len(others):
            raise refused(f"{_SETS[type(node)]} needs as many columns on both sides: {len(columns)}, {len(others)}.")
        word = _SETS[type(node)] + ("" if node.args.get("distinct") else " ALL")
        scope = Scope([_result(columns)])
        ending = self._order(node, scope, columns, only_results=True) + self._bounds(node, limit)
        return f"{beginning}({left}) {word} ({right}){ending}", columns

    def _select(self, node: exp.Select, outer: Scope | None, limit: int | None) -> tuple[str, list[Column]]:
        _require(
            node, "expressions", "distinct", "limit", "from_", "joins", "where", "group", "having", "order", "offset",
            "with_",
        )  # fmt: skip
        beginning = self._with(node)
        scope = Scope(outer=outer)
        joins = self._joins(node, scope)
        conditions, pairs = self._conditions(_inner(node, "where"), scope)
        source = self._from(joins, conditions, pairs)
        items = [item for one in node.expressions for item in self._items(one, scope)]
        if not items:
            raise refused("SELECT needs at least one column.")
        columns = [column for _, column in items]
        parts = [
            beginning + "SELECT",
            " DISTINCT" if self._distinct(node) else "",
            " " + ", ".join(f"{sql} AS o{place}" for place, (sql, _) in enumerate(items)),
            source,
            f" WHERE {' AND '.join(conditions)}" if conditions else "",
            self._group(node, scope),
            self._order(node, scope, columns),
            self._bounds(node, limit),
        ]
        return "".join(parts), columns

    def _distinct(self, node: exp.Expr) -> bool:
        distinct = node.args.get("distinct")
        if distinct is None:
            return False
        _require(distinct)
        return True

    def _with(self, node: exp.Expr) -> str:
        """Print the queries of WITH, which those after them may name."""
        clause = node.args.get("with_")
        if clause is None:
            return ""
        _require(clause, "expressions")
        printed = []
        for one in clause.expressions:
            _require(one, "this", "alias")
            _require(one.args["alias"], "this")
            sql, columns = self.query(one.this, None)
            alias = f"w{next(self._aliases)}"
            printed.append(f"{alias} AS ({sql})")
            self._tables_with.append((one.args["alias"].this, alias, columns))
        return f"WITH {', '.join(printed)} "

    def _group(self, node: exp.Select, scope: Scope) -> str:
        printed = ""
        if (group := node.args.get("group")) is not None:
            _require(group, "expressions")
            for one in group.expressions:
                if isinstance(one, exp.Literal):
                    raise refused("GROUP BY needs columns or expressions.")
            printed = f" GROUP BY {', '.join(self.sql(one, scope) for one in group.expressions)}"
        having, _ = self._conditions(_inner(node, "having"), scope)
        return printed + (f" HAVING {' AND '.join(having)}" if having else "")

    def _order(self, node: exp.Expr, scope: Scope, columns: Sequence[Column], *, only_results: bool = False) -> str:
        order = node.args.get("order")
        if order is None:
            return ""
        _require(order, "expressions")
        return f" ORDER BY {', '.join(self._key(one, scope, columns, only_results) for one in order.expressions)}"

    def _key(self, node: exp.Expr, scope: Scope, columns: Sequence[Column], only_results: bool) -> str:
        """Print a key of ORDER BY: a number or a name of a column of the result, or an expression."""
        _require(node, "this", "desc")
        key = node.this
        if isinstance(key, exp.Literal):
            sql = str(_whole(key, "ORDER BY"))
            if not 1 <= int(sql) <= len(columns):
                raise refused(f"ORDER BY {sql}: the result has {len(columns)} columns.")
        else:
            plain = isinstance(key, exp.Column) and not key.args.get("table")
            places = _result(columns).find(key.this) if plain else []
            if places:
                sql = str(places[0] + 1)
            elif only_results:
                raise refused("ORDER BY after UNION, EXCEPT or INTERSECT needs names or numbers of result columns.")
            else:
                sql = self.sql(key, scope)
        return f"{sql} DESC" if node.args.get("desc") else sql

    def _bounds(self, node: exp.Expr, limit: int | None) -> str:
        numbers = [number for number in (self.top_of(node), limit) if number is not None]
        printed = f" LIMIT {min(numbers)}" if numbers else ""
        if (offset := node.args.get("offset")) is not None:
            _require(offset, "expression")
            printed += f" OFFSET {_whole(offset.expression, 'OFFSET')}"
        return printed

    def _items(self, node: exp.Expr, scope: Scope) -> Iterator[tuple[str, Column]]:
        """Yield the columns of an item of SELECT."""
        if isinstance(node, exp.Star):
            _require(node)
            yield from ((one.sql, one.column) for one in _everything(scope))
        elif isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
            _require(node, "this", "table")
            _require(node.this)
            yield from ((one.sql, one.column) for one in scope.relation(node.args["table"]).columns)
        elif isinstance(node, exp.Alias):
            _require(node, "this", "alias")
            yield self.sql(node.this, scope), self._described(node.this, scope, node.args["alias"].name)
        else:
            yield self.sql(node, scope), self._described(node, scope, None)

    def _described(self, node: exp.Expr, scope: Scope, alias: str | None) -> Column:
        """Return what is known of an item of SELECT."""
        node = node.unnest()
        if isinstance(node, exp.Column):
            column = scope.resolve(node)[2].column
            return dataclasses.replace(column, name=alias or column.name)
        name = node.name.upper() if isinstance(node, exp.Anonymous) else ""
        known: dict[str, Any] = {}
        if name == "DISTANCE":
            known = {"unit": "deg", "ucd": "pos.angDistance"}
        elif AGGREGATES.get(name) and len(node.expressions) == 1 and isinstance(node.expressions[0], exp.Column):
            known = {"unit": scope.resolve(node.expressions[0])[2].column.unit}
        return Column(name=alias or name.lower() or "value", datatype="", **known)

    # FROM

    def _joins(self, node: exp.Select, scope: Scope) -> list[_Join]:
        first = _inner(node, "from_")
        if first is None:
            return []
        nodes = [exp.Join(this=first), *(node.args.get("joins") or [])]
        joins: list[_Join] = []
        for one in nodes:
            _require(one, "this", "side", "kind", "method", "on", "using")
            kind = self._kind(one, is_first=not joins)
            relation = self._relation(one.this, scope)
            left = Scope(list(scope.relations), merged=dict(scope.merged))
            scope.relations.append(relation)
            join = _Join(relation, kind, *self._conditions(one.args.get("on"), scope))
            join.conditions += self._merge(one, join, left, scope)
            if joins and kind != "CROSS JOIN" and not join.conditions:
                raise refused("JOIN needs ON or USING.")
            joins.append(join)
        return joins

    def _kind(self, node: exp.Expr, *, is_first: bool) -> str:
        side, kind, method = (str(node.args.get(name) or "").upper() for name in ("side", "kind", "method"))
        if side not in ("", *_SIDES) or kind not in ("", "INNER", "OUTER", "CROSS") or method not in ("", "NATURAL"):
            raise refused(f"The join {' '.join(filter(None, (method, side, kind)))} is not accepted.")
        with_condition = node.args.get("on") or node.args.get("using") or method
        if kind == "CROSS" or is_first or not (side or with_condition or kind == "INNER"):
            if with_condition or side:
                raise refused("CROSS JOIN has no condition.")
            return "CROSS JOIN"
        return _SIDES.get(side, "JOIN")

    def _merge(self, node: exp.Expr, join: _Join, left: Scope, scope: Scope) -> list[str]:
        """Merge the columns of USING, or those with the same names for NATURAL; return their equations."""
        names = list(node.args.get("using") or [])
        if node.args.get("method"):
            here = {one.column.name.lower() for relation in left.relations for one in relation.columns}
            both = [one.column.name for one in join.relation.columns if one.column.name.lower() in here]
            names = [exp.to_identifier(name, quoted=False) for name in both]
            if not names:
                raise refused("NATURAL JOIN: the tables have no column in common.")
        equations = []
        for name in names:
            if isinstance(name, exp.Column):
                name = name.this
            _, _, before = left.resolve(exp.Column(this=name))
            _, _, after = Scope([join.relation]).resolve(exp.Column(this=name))
            equations.append(f"{before.sql} = {after.sql}")
            value = {"RIGHT JOIN": after.sql, "FULL JOIN": f"coalesce({before.sql}, {after.sql})"}
            scope.merged[name.name.lower()] = Visible(value.get(join.kind, before.sql), before.column)
        return equations

    def _relation(self, node: exp.Expr, scope: Scope) -> Relation:
        alias = f"t{next(self._aliases)}"
        if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Query):
            _require(node, "this", "alias")
            name = node.args.get("alias")
            if name is None:
                raise refused("A query in FROM needs a name: (SELECT ...) AS name.")
            _require(name, "this")
            sql, columns = self.query(node.this, scope.outer)
            return _derived(name.this, alias, columns, f"({sql}) AS {alias}")
        if not isinstance(node, exp.Table) or not isinstance(node.this, exp.Identifier):
            raise refused(f"FROM accepts names of tables and queries, not {_name(node)}.")
        _require(node, "this", "db", "alias")
        named = node.args.get("alias")
        if named is not None:
            _require(named, "this")
        called = node.this if named is None else named.this
        schema = node.args.get("db")
        if schema is None:
            for name, source, columns in reversed(self._tables_with):
                if _same(name, node.this):
                    return _derived(called, alias, columns, f"{source} AS {alias}")
        elif schema.name.lower() == _UPLOADS:
            return self._uploaded(node.this, called, alias)
        return self._table(_table(schema, node.this), called, alias)

    def _uploaded(self, name: exp.Identifier, called: exp.Identifier, alias: str) -> Relation:
        for number, upload in enumerate(self._uploads):
            if upload.name.lower() == name.name.lower():
                columns = [Visible(f"{alias}.c{place}", one) for place, one in enumerate(upload.columns)]
                sql = f"pg_temp.vo_upload_{number} AS {alias}"
                return Relation(called.name, bool(called.quoted), alias, columns, sql, upload=upload)
        raise refused(f"There is no uploaded table {name.name!r}: it is named in UPLOAD.")

    def _table(self, table: Table, called: exp.Identifier, alias: str) -> Relation:
        names = [one.name.strip('"') for one in table.columns]
        columns = [Visible(f'{alias}."{name}"', one) for name, one in zip(names, table.columns, strict=True)]
        position = None
        if table.source:
            sql = f"{table.source} AS {alias}"
            position = (names.index(table.position[0]), names.index(table.position[1])) if table.position else None
        else:
            types = (
                f'"{name}" {"integer" if one.datatype == "int" else "text"}'
                for name, one in zip(names, table.columns, strict=True)
            )
            rows = self.bind(tap_schema(table.name))
            sql = f"jsonb_to_recordset(CAST({rows} AS jsonb)) AS {alias}({', '.join(types)})"
        return Relation(called.name, bool(called.quoted), alias, columns, sql, position, table.source)

    def _from(self, joins: list[_Join], conditions: list[str], pairs: list[Pair]) -> str:
        """Print FROM. Where a condition pairs an indexed table with an upload, the table is looked up for each row."""
        if not joins:
            return ""
        if all(join.kind in ("JOIN", "CROSS JOIN") for join in joins):
            for join in joins:
                conditions += join.conditions
                pairs = [*pairs, *join.pairs]
            here = [join.relation for join in joins]
            near = {pair.near: pair for pair in pairs if pair.near in here}
            first = [join.relation.sql for join in joins if join.relation not in near]
            then = [_looked_up(pair) for pair in near.values()]
            return f" FROM {' CROSS JOIN '.join((*first, *then))}" if first else f" FROM {' CROSS JOIN '.join(then)}"
        printed = f" FROM {joins[0].relation.sql}"
        for place, join in enumerate(joins[1:], 1):
            sql = join.relation.sql
            before = [one.relation for one in joins[:place]]
            for pair in join.pairs:
                if pair.near is join.relation and pair.upload in before and join.kind in ("JOIN", "LEFT JOIN"):
                    sql = _looked_up(pair)
            on = f" ON {' AND '.join(join.conditions)}" if join.conditions else ""
            printed += f" {join.kind} {sql}{on}"
        return printed

    # Conditions and values

    def _conditions(self, node: exp.Expr | None, scope: Scope) -> tuple[list[str], list[Pair]]:
        """Print the parts of a condition that all must hold, and the pairs among them."""
        conditions: list[str] = []
        pairs: list[Pair] = []
        stack = [] if node is None else [node]
        while stack:
            one = stack.pop().unnest()
            if isinstance(one, exp.And):
                _require(one, "this", "expression")
                stack += [one.expression, one.this]
                continue
            geometric = self._geometric(one, scope)
            if geometric is not None and geometric[1] is not None:
                pairs.append(geometric[1])
            conditions.append(f"({self.sql(one, scope) if geometric is None else geometric[0]})")
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
            raise refused(f"{_name(node)} is not accepted in queries.")
        return printer(self, node, scope)

    def _binary(self, node: exp.Expr, scope: Scope) -> str:
        _require(node, "this", "expression")
        geometric = self._geometric(node, scope)
        if geometric is not None:
            return f"({geometric[0]})"
        return f"({self.sql(node.this, scope)} {_BINARY[type(node)]} {self.sql(node.expression, scope)})"

    def _column(self, node: exp.Expr, scope: Scope) -> str:
        _require(node, "this", "table")
        if not isinstance(node, exp.Column) or not isinstance(node.this, exp.Identifier):
            raise refused("* is accepted in SELECT * and COUNT(*) only.")
        return scope.resolve(node)[2].sql

    def _literal(self, node: exp.Expr, scope: Scope) -> str:
        if node.args.get("is_string"):
            return self.bind(node.this)
        return self.bind(_number(node))

    def _unary(self, node: exp.Expr, scope: Scope) -> str:
        _require(node, "this")
        words: dict[type[exp.Expr], str] = {exp.Neg: "(- {})", exp.Not: "(NOT {})", exp.Paren: "({})"}
        return words[type(node)].format(self.sql(node.this, scope))

    def _constant(self, node: exp.Expr, scope: Scope) -> str:
        _require(node, "this")
        return "NULL" if isinstance(node, exp.Null) else "TRUE" if node.this else "FALSE"

    def _between(self, node: exp.Expr, scope: Scope) -> str:
        _require(node, "this", "low", "high")
        value, low, high = (self.sql(node.args[name], scope) for name in ("this", "low", "high"))
        return f"({value} BETWEEN {low} AND {high})"

    def _in(self, node: exp.Expr, scope: Scope) -> str:
        _require(node, "this", "expressions", "query")
        value, query = self.sql(node.this, scope), node.args.get("query")
        if query is not None:
            return f"({value} IN ({self._single(query, scope)}))"
        return f"({value} IN ({', '.join(self.sql(one, scope) for one in node.expressions)}))"

    def _is(self, node: exp.Expr, scope: Scope) -> str:
        _require(node, "this", "expression")
        if not isinstance(node.expression, exp.Null):
            raise refused("IS is accepted with NULL only.")
        return f"({self.sql(node.this, scope)} IS NULL)"

    def _like(self, node: exp.Expr, scope: Scope) -> str:
        _require(node, "this", "expression", "negate")
        word = ("NOT " if node.args.get("negate") else "") + ("ILIKE" if isinstance(node, exp.ILike) else "LIKE")
        return f"({self.sql(node.this, scope)} {word} {self.sql(node.expression, scope)} ESCAPE '')"

    def _exists(self, node: exp.Expr, scope: Scope) -> str:
        _require(node, "this")
        return f"EXISTS ({self.query(node.this, scope)[0]})"

    def _scalar(self, node: exp.Expr, scope: Scope) -> str:
        if not isinstance(node.this, exp.Query):
            raise refused(f"{_name(node.this)} is not accepted in queries.")
        return f"({self._single(node, scope)})"

    def _single(self, node: exp.Expr, scope: Scope) -> str:
        sql, columns = self.query(node, scope)
        if len(columns) != 1:
            raise refused(f"A query that is a value must have one column, not {len(columns)}.")
        return sql

    def _case(self, node: exp.Expr, scope: Scope) -> str:
        _require(node, "this", "ifs", "default")
        subject = "" if node.this is None or not node.args.get("this") else f" {self.sql(node.this, scope)}"
        branches = []
        for one in node.args["ifs"]:
            _require(one, "this", "true")
            branches.append(f" WHEN {self.sql(one.this, scope)} THEN {self.sql(one.args['true'], scope)}")
        default = node.args.get("default")
        ending = "" if default is None else f" ELSE {self.sql(default, scope)}"
        return f"(CASE{subject}{''.join(branches)}{ending} END)"

    def _cast(self, node: exp.Expr, scope: Scope) -> str:
        _require(node, "this", "to")
        name, length = type_of(node.args["to"])
        sql = f"CAST({self.sql(node.this, scope)} AS {name})"
        return sql if length is None else f"left({sql}, {length})"

    def _function(self, node: exp.Expr, scope: Scope) -> str:
        _require(node, "this", "expressions")
        name = node.this.upper() if isinstance(node.this, str) else ""
        given = node.expressions
        if name in AGGREGATES:
            return self._aggregate(name, given, scope)
        if name in _GEOMETRY:
            return _GEOMETRY[name](self, node, scope)
        function = FUNCTIONS.get(name)
        if function is None:
            raise refused(f"The function {name or _name(node)} is not available.")
        if not function.least <= len(given) <= function.most:
            raise refused(f"{name} takes {function.least} to {function.most} arguments, not {len(given)}.")
        printed = [self.sql(one, scope) for one in given]
        filled = printed + ["0"] * (2 - len(printed))
        return function.template.format(*filled, all=", ".join(printed))

    def _aggregate(self, name: str, given: Sequence[exp.Expr], scope: Scope) -> str:
        if len(given) != 1:
            raise refused(f"{name} takes one argument.")
        (one,) = given
        if isinstance(one, exp.Star) and name == "COUNT":
            _require(one)
            return "count(*)"
        if isinstance(one, exp.Distinct):
            _require(one, "expressions")
            if len(one.expressions) != 1:
                raise refused(f"{name}(DISTINCT ...) takes one expression.")
            return f"{name.lower()}(DISTINCT {self.sql(one.expressions[0], scope)})"
        return f"{name.lower()}({self.sql(one, scope)})"

    # Geometry

    def _geometric(self, node: exp.Expr, scope: Scope) -> tuple[str, Pair | None] | None:
        """Print a comparison that is about geometry; None when it is about something else."""
        if type(node) not in _COMPARISONS:
            return None
        left, right = node.this.unnest(), node.expression.unnest()
        for call, other, order in ((left, right, (exp.LT, exp.LTE)), (right, left, (exp.GT, exp.GTE))):
            name = call.name.upper() if isinstance(call, exp.Anonymous) else ""
            if name in ("CONTAINS", "INTERSECTS") and isinstance(node, exp.EQ) and _constant(other) in (0, 1):
                condition, pair = self._relates(call, scope)
                return (condition, pair) if _constant(other) else (f"NOT ({condition})", None)
            if name == "DISTANCE" and type(node) in order:
                one, two = self._two_points(call, scope)
                radius = _constant(other)
                sql = self.sql(other, scope) if radius is None else ""
                return geometry.within(one, two, sql, radius, self.bind, strict=type(node) in (exp.LT, exp.GT))
        return None

    def _relates(self, call: exp.Expr, scope: Scope) -> tuple[str, Pair | None]:
        """Print CONTAINS or INTERSECTS as a condition."""
        name = call.name.upper()
        first, second = self._two(call)
        one, two = self._region(first, scope), self._region(second, scope)
        if name == "INTERSECTS" and isinstance(two, Point):
            one, two = two, one
        match one, two:
            case Point(), Point():
                return geometry.within(one, two, "0", 0.0, self.bind)
            case Point(), Circle():
                return geometry.within(one, two.centre, two.radius, two.constant, self.bind)
            case Point(), Polygon():
                return geometry.inside_polygon(one, two, self.bind), None
            case Circle(), Circle():
                sign = "-" if name == "CONTAINS" else "+"
                constant = None
                if one.constant is not None and two.constant is not None:
                    constant = two.constant - one.constant if name == "CONTAINS" else two.constant + one.constant
                    if constant < 0:
                        return "FALSE", None
                return geometry.within(
                    one.centre, two.centre, f"({two.radius} {sign} {one.radius})", constant, self.bind
                )
        raise refused(
            f"{name} of these two shapes is not available: use a POINT or CIRCLE in a CIRCLE, BOX or POLYGON."
        )

    def _region(self, node: exp.Expr, scope: Scope) -> Point | Circle | Polygon:  # noqa: PLR0911  (one for each shape)
        """Return the shape that an argument is."""
        node = node.unnest()
        if isinstance(node, exp.Column):
            return self._column_point(node, scope)
        name = node.name.upper() if isinstance(node, exp.Anonymous) else ""
        given = _without_system(node.expressions) if name in ("POINT", "CIRCLE", "BOX", "POLYGON") else []
        match name, given:
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
                return geometry.polygon(self._vertices(given, scope))
        raise refused(f"{name or _name(node)} is no shape with the right number of arguments.")

    def _column_point(self, node: exp.Column, scope: Scope) -> Point:
        relation, _, visible = scope.resolve(node)
        if relation is None or relation.position is None or visible.column.xtype != "adql:REGION":
            raise refused(f"The column {node.name!r} is no shape: use POINT(ra, dec).")
        lon, lat = (relation.columns[one].sql for one in relation.position)
        return Point(lon, lat, None, relation, relation.position)

    def _point(self, lon: exp.Expr, lat: exp.Expr, scope: Scope) -> Point:
        numbers = _constant(lon), _constant(lat)
        if numbers[0] is not None and numbers[1] is not None:
            if not -90 <= numbers[1] <= 90:
                raise refused(f"The declination {numbers[1]:g} is outside -90 to 90 deg.")
            ra = numbers[0] % 360
            return Point(self.bind(ra), self.bind(numbers[1]), (ra, numbers[1]))
        printed = self.sql(lon, scope), self.sql(lat, scope)
        if isinstance(lon, exp.Column) and isinstance(lat, exp.Column):
            (one, first, _), (other, second, _) = scope.resolve(lon), scope.resolve(lat)
            if one is not None and one is other:
                return Point(*printed, None, one, (first, second))
        return Point(*printed)

    def _as_point(self, node: exp.Expr, scope: Scope) -> Point:
        point = self._region(node, scope)
        if not isinstance(point, Point):
            raise refused(f"{_name(node)} must be a POINT.")
        return point

    def _circle(self, centre: Point, radius: exp.Expr, scope: Scope) -> Circle:
        constant = _constant(radius)
        if constant is not None and constant < 0:
            raise refused("The radius of a circle must not be negative.")
        sql = self.sql(radius, scope) if constant is None else self.bind(constant)
        return Circle(centre, sql, constant)

    def _box(self, centre: Point, width: exp.Expr, height: exp.Expr) -> Polygon:
        w, h = _constant(width), _constant(height)
        if centre.constant is None or w is None or h is None or w <= 0 or h <= 0:
            raise refused("BOX needs numbers, and a positive width and height.")
        ra, dec = centre.constant
        if abs(dec) + h / 2 > 90:
            raise refused("BOX must not reach beyond a pole.")
        corners = ((-1, -1), (1, -1), (1, 1), (-1, 1))
        return geometry.polygon([(ra + x * w / 2, dec + y * h / 2) for x, y in corners])

    def _vertices(self, given: Sequence[exp.Expr], scope: Scope) -> list[tuple[float, float]]:
        if isinstance(given[0].unnest(), exp.Anonymous):
            points = [self._as_point(one, scope) for one in given]
        else:
            if len(given) % 2 or len(given) < 6:
                raise refused("POLYGON needs the coordinates of at least three vertices.")
            points = [self._point(*pair, scope) for pair in zip(given[::2], given[1::2], strict=True)]
        constants = [point.constant for point in points if point.constant is not None]
        if len(constants) != len(points):
            raise refused("POLYGON needs numbers.")
        return constants

    def _two(self, node: exp.Expr) -> tuple[exp.Expr, exp.Expr]:
        _require(node, "this", "expressions")
        if len(node.expressions) != 2:
            raise refused(f"{node.name.upper()} takes 2 arguments, not {len(node.expressions)}.")
        first, second = node.expressions
        return first, second

    def _two_points(self, node: exp.Expr, scope: Scope) -> tuple[Point, Point]:
        _require(node, "this", "expressions")
        given = node.expressions
        if len(given) == 4:
            return self._point(given[0], given[1], scope), self._point(given[2], given[3], scope)
        first, second = self._two(node)
        return self._as_point(first, scope), self._as_point(second, scope)

    def _distance(self, node: exp.Expr, scope: Scope) -> str:
        return geometry.distance(*self._two_points(node, scope), self.bind)

    def _truth(self, node: exp.Expr, scope: Scope) -> str:
        return f"(CASE WHEN {self._relates(node, scope)[0]} THEN 1 ELSE 0 END)"

    def _coordinate(self, node: exp.Expr, scope: Scope) -> str:
        if len(node.expressions) != 1:
            raise refused(f"{node.name.upper()} takes 1 argument.")
        point = self._as_point(node.expressions[0], scope)
        return point.lon if node.name.upper() == "COORD1" else point.lat


_Printer = Callable[[_Translator, exp.Expr, Scope], str]

#: Everything that may be in an expression.
_PRINTERS: Final[Mapping[type[exp.Expr], _Printer]] = {
    **dict.fromkeys(_BINARY, _Translator._binary),
    **dict.fromkeys((exp.Neg, exp.Not, exp.Paren), _Translator._unary),
    **dict.fromkeys((exp.Null, exp.Boolean), _Translator._constant),
    **dict.fromkeys((exp.Like, exp.ILike), _Translator._like),
    exp.Column: _Translator._column,
    exp.Literal: _Translator._literal,
    exp.Between: _Translator._between,
    exp.In: _Translator._in,
    exp.Is: _Translator._is,
    exp.Exists: _Translator._exists,
    exp.Subquery: _Translator._scalar,
    exp.Case: _Translator._case,
    exp.Cast: _Translator._cast,
    exp.Anonymous: _Translator._function,
}

_GEOMETRY: Final[Mapping[str, _Printer]] = {
    "CONTAINS": _Translator._truth,
    "INTERSECTS": _Translator._truth,
    "DISTANCE": _Translator._distance,
    "COORD1": _Translator._coordinate,
    "COORD2": _Translator._coordinate,
}


def _require(node: exp.Expr, *allowed: str) -> None:
    """Refuse a node that says more than what is printed of it.

    Raises
    ------
    InvalidError
    """
    for name, value in node.args.items():
        if name not in allowed and name not in _HARMLESS and value not in (None, False, [], ""):
            raise refused(f"{name.strip('_').upper()} is not accepted in {_name(node)}.")


def _name(node: exp.Expr) -> str:
    """Return what an error calls a node."""
    if isinstance(node, exp.Anonymous):
        return f"the function {node.name.upper()}"
    return type(node).__name__.upper()


def _inner(node: exp.Expr, name: str) -> exp.Expr | None:
    """Return what is in a clause; None when there is none."""
    clause = node.args.get(name)
    if clause is None:
        return None
    _require(clause, "this")
    inner: exp.Expr = clause.this
    return inner


def _number(node: exp.Expr) -> int | float:
    text = str(node.this)
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        raise refused(f"{text[:40]!r} is no number, or too large.")
    return value


def _whole(node: exp.Expr, what: str) -> int:
    value = _number(node) if isinstance(node, exp.Literal) and not node.args.get("is_string") else -1
    if not isinstance(value, int) or not 0 <= value <= _MOST_OFFSET:
        raise refused(f"{what} needs a whole number.")
    return value


def _constant(node: exp.Expr) -> float | None:
    """Return the number that an expression of numbers is; None when it is none."""
    node = node.unnest()
    match node:
        case exp.Literal() if not node.args.get("is_string"):
            return float(_number(node))
        case exp.Neg():
            value = _constant(node.this)
            return None if value is None else -value
        case exp.Add() | exp.Sub() | exp.Mul() | exp.Div():
            left, right = _constant(node.this), _constant(node.expression)
            if left is None or right is None or (isinstance(node, exp.Div) and not right):
                return None
            value = {exp.Add: left + right, exp.Sub: left - right, exp.Mul: left * right}.get(type(node))
            value = left / right if value is None else value
            return value if math.isfinite(value) else None
    return None


def _without_system(given: Sequence[exp.Expr]) -> list[exp.Expr]:
    """Leave out the coordinate system that ADQL 2.0 had before the arguments of a shape."""
    if not given or not isinstance(given[0], exp.Literal) or not given[0].args.get("is_string"):
        return list(given)
    if given[0].name.strip().upper() not in ("", "ICRS", "ICRS GEOCENTER"):
        raise refused(f"The coordinate system {given[0].name[:40]!r} is not available: positions are ICRS.")
    return list(given[1:])


def _everything(scope: Scope) -> Iterator[Visible]:
    """Yield the columns of *: merged ones first and once."""
    if not scope.relations:
        raise refused("SELECT * needs a FROM.")
    yield from scope.merged.values()
    for relation in scope.relations:
        yield from (one for one in relation.columns if one.column.name.lower() not in scope.merged)


def _result(columns: Sequence[Column]) -> Relation:
    return Relation(None, False, "", [Visible(f"o{place}", one) for place, one in enumerate(columns)], "")


def _derived(called: exp.Identifier, alias: str, columns: Sequence[Column], sql: str) -> Relation:
    visible = [Visible(f"{alias}.o{place}", one) for place, one in enumerate(columns)]
    return Relation(called.name, bool(called.quoted), alias, visible, sql)


def _same(one: exp.Identifier, other: exp.Identifier) -> bool:
    exact = one.quoted and other.quoted
    return one.name == other.name if exact else one.name.lower() == other.name.lower()


def _table(schema: exp.Identifier | None, name: exp.Identifier) -> Table:
    """Return the table that a name means, with its schema or, where that is enough, without.

    Raises
    ------
    InvalidError
    """
    if schema is None:
        found = [table for table in TABLES.values() if table.name.lower() == name.name.lower()]
        if len(found) == 1:
            return found[0]
        full = name.name
    else:
        full = f"{schema.name}.{name.name}"
        if full.lower() in TABLES:
            return TABLES[full.lower()]
    raise refused(f"There is no table {full!r}. TAP_SCHEMA.tables lists them.")


def _looked_up(pair: Pair) -> str:
    """Print a table as a lookup in its index around the position of each row of an upload."""
    upload = pair.upload.upload
    if upload is None:
        raise ValueError("a pair without an upload")
    number = upload.cone(*pair.places, pair.radius)
    alias, source, other = pair.near.alias, pair.near.source, pair.upload.alias
    # Every part of these is a name that was made here.
    inner = f"SELECT * FROM {source} AS v WHERE v.healpix BETWEEN r.low AND r.high OFFSET 0"  # noqa: S608
    ranges = f"unnest({other}.low{number}, {other}.high{number}) AS r(low, high)"
    return f"LATERAL (SELECT v.* FROM {ranges} CROSS JOIN LATERAL ({inner}) AS v) AS {alias}"  # noqa: S608
