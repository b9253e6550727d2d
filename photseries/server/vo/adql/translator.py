"""The translator: print the parse tree of a query as SQL, and refuse nodes without a printer."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlglot import exp

from photseries.server.catalogue.vo_views import ordered_view
from photseries.server.vo.adql.expressions import Expressions
from photseries.server.vo.adql.functions import AGGREGATES
from photseries.server.vo.adql.geometry import PairCondition
from photseries.server.vo.adql.grammar import parse, refused
from photseries.server.vo.adql.nodes import alias_of, identifier, inner, integer, name_of, require
from photseries.server.vo.adql.relations import Relation, RelationColumn, Scope, UploadedTable, is_same
from photseries.server.vo.tables import TABLES, TapColumn, TapTable, tap_schema

__all__ = ["Translation", "translate"]

_SETS: Final[Mapping[type[exp.Expr], str]] = {exp.Union: "UNION", exp.Except: "EXCEPT", exp.Intersect: "INTERSECT"}
_SIDES: Final = {"LEFT": "LEFT JOIN", "RIGHT": "RIGHT JOIN", "FULL": "FULL JOIN"}

_UPLOADS: Final = "tap_upload"

#: Maximum number of columns of a SELECT, also of a subquery; PostgreSQL returns at most 1,664.
MAX_COLUMNS: Final = 1_600

#: Maximum number of references to columns in a query when each name of a column of a subquery is replaced by its
#: expression, as PostgreSQL does: nested queries could double it at each level.
MAX_WEIGHT: Final = 20_000

_REFERENCE: Final = re.compile(r"t\d+\.o\d+")

#: Maximum number of tables and subqueries of a query.
MAX_TABLES: Final = 50


@dataclass(frozen=True)
class Translation:
    """A translated query.

    Parameters
    ----------
    sql : str
        With a placeholder for each value.
    values : mapping
    columns : tuple of TapColumn
        The columns of the result; without a datatype they have that of the database.
    """

    sql: str
    values: Mapping[str, object]
    columns: tuple[TapColumn, ...]


@dataclass
class _Join:
    """A relation of a FROM clause, how it is joined, and the conditions of its ON."""

    relation: Relation
    kind: str
    conditions: list[str]
    pairs: list[PairCondition]


def translate(query: str, uploads: Sequence[UploadedTable] = (), limit: int | None = None) -> Translation:
    """Translate one query.

    Parameters
    ----------
    query : str
        ADQL 2.1.
    uploads : sequence of UploadedTable
        The translation adds their cones.
    limit : int, optional
        Maximum number of rows of the result.

    Raises
    ------
    InvalidError
        When the query is invalid or uses a disallowed construct.
    """
    tree = parse(query)
    translator = _Translator(uploads)
    try:
        sql, columns = translator.query(tree, None, limit)
    except RecursionError as error:
        raise refused("The query is nested too deeply.") from error
    return Translation(sql, translator.expressions.values, tuple(columns))


class _Translator:
    """The translation of one query, with its bind values and its uploads."""

    def __init__(self, uploads: Sequence[UploadedTable]) -> None:
        self.expressions = Expressions(self.query)
        self._uploads = uploads
        self._aliases = itertools.count()
        self._weights: dict[str, int] = {}
        self._tables_with: list[tuple[exp.Identifier, str, list[TapColumn]]] = []

    def query(self, node: exp.Expr, outer: Scope | None, limit: int | None = None) -> tuple[str, list[TapColumn]]:
        """Print a query; its columns are o0, o1, ..."""
        table_count = len(self._tables_with)
        try:
            if isinstance(node, exp.Subquery):
                require(node, "this", "with_", "order", "limit", "offset")
                if any(node.args.get(name) for name in ("with_", "order", "limit", "offset")):
                    raise refused("Write ORDER BY, TOP and OFFSET inside the parentheses of a query.")
                return self.query(node.this, outer, limit)
            if type(node) in _SETS:
                return self._set(node, outer, limit)
            if isinstance(node, exp.Select):
                return self._select(node, outer, limit)
            raise refused("QUERY must be a SELECT statement.")
        finally:
            del self._tables_with[table_count:]

    def _set(self, node: exp.Expr, outer: Scope | None, limit: int | None) -> tuple[str, list[TapColumn]]:
        require(node, "this", "expression", "distinct", "with_", "order", "limit", "offset")
        beginning = self._with(node)
        (left, columns), (right, right_columns) = self.query(node.this, outer), self.query(node.expression, outer)
        if len(columns) != len(right_columns):
            raise refused(
                f"{_SETS[type(node)]} needs equally many columns on both sides: {len(columns)}, {len(right_columns)}."
            )
        word = _SETS[type(node)] + ("" if node.args.get("distinct") else " ALL")
        scope = Scope([_result(columns)])
        ending = self._order(node, scope, columns, only_results=True) + self._bounds(node, limit)
        columns = [_common(column, other) for column, other in zip(columns, right_columns, strict=True)]
        return f"{beginning}({left}) {word} ({right}){ending}", columns

    def _select(self, node: exp.Select, outer: Scope | None, limit: int | None) -> tuple[str, list[TapColumn]]:
        require(
            node, "expressions", "distinct", "limit", "from_", "joins", "where", "group", "having", "order", "offset",
            "with_",
        )  # fmt: skip
        beginning = self._with(node)
        scope = Scope(outer=outer)
        joins = self._joins(node, scope)
        conditions, pairs = self.expressions.conditions(inner(node, "where"), scope)
        _read_in_order(node, joins)
        source = self._from(joins, conditions, pairs)
        every = (item for expression in node.expressions for item in self._items(expression, scope))
        items = list(itertools.islice(every, MAX_COLUMNS + 1))
        if not items:
            raise refused("SELECT needs at least one column.")
        if len(items) > MAX_COLUMNS:
            raise refused(f"A SELECT has more than {MAX_COLUMNS:,} columns. Name the ones that you need instead of *.")
        columns = [dataclasses.replace(column, weight=self._weight(sql)) for sql, column in items]
        if (distinct := node.args.get("distinct")) is not None:
            require(distinct)
        parts = [
            beginning + "SELECT",
            "" if distinct is None else " DISTINCT",
            " " + ", ".join(f"{sql} AS o{index}" for index, (sql, _) in enumerate(items)),
            source,
            f" WHERE {' AND '.join(conditions)}" if conditions else "",
            self._group(node, scope),
            self._order(node, scope, columns),
            self._bounds(node, limit),
        ]
        printed = self.expressions.bounded("".join(parts))
        if self._weight(printed) > MAX_WEIGHT:
            raise refused("The query repeats columns of its subqueries too often.")
        return printed, columns

    def _weight(self, sql: str) -> int:
        """Count the references to columns of tables in the expressions behind a text of SQL."""
        return 1 + sum(map(self._weights.__getitem__, _REFERENCE.findall(sql)))

    def _with(self, node: exp.Expr) -> str:
        """Print the common table expressions of WITH, which later ones may reference."""
        clause = node.args.get("with_")
        if clause is None:
            return ""
        require(clause, "expressions")
        printed = []
        for expression in clause.expressions:
            require(expression, "this", "alias")
            label = alias_of(expression.args["alias"])
            sql, columns = self.query(expression.this, None)
            alias = f"w{next(self._aliases)}"
            printed.append(f"{alias} AS ({sql})")
            self._tables_with.append((label, alias, columns))
        return f"WITH {', '.join(printed)} "

    def _group(self, node: exp.Select, scope: Scope) -> str:
        printed = ""
        if (group := node.args.get("group")) is not None:
            require(group, "expressions")
            for expression in group.expressions:
                if isinstance(expression, exp.Literal):
                    raise refused("GROUP BY needs columns or expressions.")
            keys = (self.expressions.sql(expression, scope) for expression in group.expressions)
            printed = f" GROUP BY {', '.join(keys)}"
        having, _ = self.expressions.conditions(inner(node, "having"), scope)
        return printed + (f" HAVING {' AND '.join(having)}" if having else "")

    def _order(self, node: exp.Expr, scope: Scope, columns: Sequence[TapColumn], *, only_results: bool = False) -> str:
        order = node.args.get("order")
        if order is None:
            return ""
        require(order, "expressions")
        keys = (self._key(expression, scope, columns, only_results) for expression in order.expressions)
        return f" ORDER BY {', '.join(keys)}"

    def _key(self, node: exp.Expr, scope: Scope, columns: Sequence[TapColumn], only_results: bool) -> str:
        """Print a key of ORDER BY: a number or a name of a column of the result, or an expression."""
        require(node, "this", "desc", "nulls_first")
        key = node.this
        if isinstance(key, exp.Literal):
            sql = str(integer(key, "ORDER BY"))
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
                sql = self.expressions.sql(key, scope)
        return f"{sql}{' DESC' if node.args.get('desc') else ''}{_nulls(node)}"

    def _bounds(self, node: exp.Expr, limit: int | None) -> str:
        numbers = [] if limit is None else [limit]
        if (top := node.args.get("limit")) is not None:
            if not isinstance(top, exp.Limit):
                raise refused("FETCH is not accepted: use TOP.")
            require(top, "expression")
            numbers.append(integer(top.expression, "TOP"))
        printed = f" LIMIT {min(numbers)}" if numbers else ""
        if (offset := node.args.get("offset")) is not None:
            require(offset, "expression")
            printed += f" OFFSET {integer(offset.expression, 'OFFSET')}"
        return printed

    def _items(self, node: exp.Expr, scope: Scope) -> Iterator[tuple[str, TapColumn]]:
        """Yield the columns of an item of SELECT."""
        if isinstance(node, exp.Star):
            require(node)
            yield from ((column.sql, column.column) for column in _everything(scope))
        elif isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
            require(node, "this", "table", "db")
            require(node.this)
            relation = scope.relation(node.args["table"], node.args.get("db"))
            yield from ((column.sql, column.column) for column in relation.columns)
        elif isinstance(node, exp.Alias):
            require(node, "this", "alias")
            yield self.expressions.sql(node.this, scope), self._result_column(node.this, scope, node.args["alias"].name)
        else:
            yield self.expressions.sql(node, scope), self._result_column(node, scope, None)

    def _result_column(self, node: exp.Expr, scope: Scope, alias: str | None) -> TapColumn:
        """Return the properties of an item of SELECT."""
        node = node.unnest()
        if isinstance(node, exp.Column):
            column = scope.resolve(node)[2].column
            return dataclasses.replace(column, name=alias or column.name)
        name = node.name.upper() if isinstance(node, exp.Anonymous) else ""
        unit, ucd = None, None
        if name == "DISTANCE":
            unit, ucd = "deg", "pos.angDistance"
        elif AGGREGATES.get(name) and len(node.expressions) == 1 and isinstance(node.expressions[0], exp.Column):
            unit = scope.resolve(node.expressions[0])[2].column.unit
        return TapColumn(name=alias or name.lower() or "value", datatype="", unit=unit, ucd=ucd)

    # FROM

    def _joins(self, node: exp.Select, scope: Scope) -> list[_Join]:
        first = inner(node, "from_")
        if first is None:
            return []
        nodes = [exp.Join(this=first), *(node.args.get("joins") or [])]
        joins: list[_Join] = []
        for join_node in nodes:
            require(join_node, "this", "side", "kind", "method", "on", "using")
            kind = self._kind(join_node, is_first=not joins)
            relation = self._relation(join_node.this, scope)
            scope_before = Scope(list(scope.relations), merged=dict(scope.merged))
            scope.relations.append(relation)
            join = _Join(relation, kind, *self.expressions.conditions(join_node.args.get("on"), scope))
            join.conditions += self._merge(join_node, join, scope_before, scope)
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
            here = {item.column.name.lower() for relation in left.relations for item in relation.columns}
            both = [item.column.name for item in join.relation.columns if item.column.name.lower() in here]
            names = [exp.to_identifier(name, quoted=False) for name in both]
            if not names:
                raise refused("NATURAL JOIN: the tables have no column in common.")
        equations = []
        for item in names:
            name = identifier(item.this if isinstance(item, exp.Column) else item)
            _, _, before = left.resolve(exp.Column(this=name))
            _, _, after = Scope([join.relation]).resolve(exp.Column(this=name))
            equations.append(f"{before.sql} = {after.sql}")
            value = {"RIGHT JOIN": after.sql, "FULL JOIN": f"coalesce({before.sql}, {after.sql})"}
            merged = RelationColumn(value.get(join.kind, before.sql), _common(before.column, after.column))
            scope.merged[name.name.lower()] = merged
        return equations

    def _relation(self, node: exp.Expr, scope: Scope) -> Relation:
        number = next(self._aliases)
        if number >= MAX_TABLES:
            raise refused(f"The query has more than {MAX_TABLES} tables and subqueries.")
        alias = f"t{number}"
        if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Query):
            require(node, "this", "alias")
            name = node.args.get("alias")
            if name is None:
                raise refused("A query in FROM needs a name: (SELECT ...) AS name.")
            label = alias_of(name)
            sql, columns = self.query(node.this, scope.outer)
            return self._derived(label, alias, columns, f"({sql}) AS {alias}")
        if not isinstance(node, exp.Table) or not isinstance(node.this, exp.Identifier):
            raise refused(f"FROM accepts names of tables and queries, not {name_of(node)}.")
        require(node, "this", "db", "alias")
        named = node.args.get("alias")
        label = node.this if named is None else alias_of(named)
        schema = node.args.get("db")
        if schema is None:
            for name, source, columns in reversed(self._tables_with):
                if is_same(name, node.this.name, quoted=bool(node.this.quoted)):
                    return self._derived(label, alias, columns, f"{source} AS {alias}")
        relation = self._table(schema, node.this, label, alias)
        if named is not None:  # an alias hides the name of the table
            relation.schema = ""
        return relation

    def _derived(self, label: exp.Identifier, alias: str, columns: Sequence[TapColumn], sql: str) -> Relation:
        visible = [RelationColumn(f"{alias}.o{place}", column) for place, column in enumerate(columns)]
        self._weights |= {column.sql: column.column.weight for column in visible}
        return Relation(label, alias, visible, sql)

    def _uploaded(self, name: exp.Identifier, label: exp.Identifier, alias: str) -> Relation:
        for number, upload in enumerate(self._uploads):
            if upload.name.lower() == name.name.lower():
                columns = [RelationColumn(f"{alias}.c{index}", column) for index, column in enumerate(upload.columns)]
                sql = f"pg_temp.vo_upload_{number} AS {alias}"
                return Relation(label, alias, columns, sql, upload=upload, schema=_UPLOADS)
        raise refused(f"There is no uploaded table {name.name!r}. Name it in UPLOAD.")

    def _table(
        self, schema: exp.Identifier | None, name: exp.Identifier, label: exp.Identifier, alias: str
    ) -> Relation:
        if schema is not None and schema.name.lower() == _UPLOADS:
            return self._uploaded(name, label, alias)
        table = _table(schema, name)
        names = [column.name for column in table.columns]
        columns = [RelationColumn(f'{alias}."{column.name}"', column) for column in table.columns]
        position = None
        if table.source:
            sql = f"{table.source} AS {alias}"
            position = (names.index(table.position[0]), names.index(table.position[1])) if table.position else None
        else:
            types = (f'"{column.name}" {"integer" if column.datatype == "int" else "text"}' for column in table.columns)
            rows = self.expressions.bind(tap_schema(table.name))
            sql = f"jsonb_to_recordset(CAST({rows} AS jsonb)) AS {alias}({', '.join(types)})"
        return Relation(label, alias, columns, sql, position, table.source, schema=table.schema)

    def _from(self, joins: list[_Join], conditions: list[str], pairs: list[PairCondition]) -> str:
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
            return f" FROM {' CROSS JOIN '.join((*first, *then))}"
        printed = f" FROM {joins[0].relation.sql}"
        for index, join in enumerate(joins[1:], 1):
            sql = join.relation.sql
            before = [earlier_join.relation for earlier_join in joins[:index]]
            for pair in join.pairs:
                if pair.near is join.relation and pair.upload in before and join.kind in ("JOIN", "LEFT JOIN"):
                    sql = _looked_up(pair)
            on = f" ON {' AND '.join(join.conditions)}" if join.conditions else ""
            printed += f" {join.kind} {sql}{on}"
        return printed


def _read_in_order(node: exp.Select, joins: Sequence[_Join]) -> None:
    """Read a single table through its view in the order of the first key of ORDER BY, if that is a column of it."""
    order = node.args.get("order")
    if order is None or len(joins) != 1 or node.args.get("group") or node.args.get("distinct"):
        return
    key, relation = order.expressions[0], joins[0].relation
    if _nulls(key):
        return
    aliases = {expression.alias.lower() for expression in node.expressions if isinstance(expression, exp.Alias)}
    if key.this.name.lower() in aliases:
        return
    if relation.source and isinstance(key.this, exp.Column):
        view = ordered_view(relation.source, key.this.name.lower(), descending=bool(key.args.get("desc")))
        relation.sql = f"{view} AS {relation.alias}"


def _nulls(key: exp.Expr) -> str:
    """Print where a key of ORDER BY puts nulls, unless that is the default: last, or first with DESC."""
    first = bool(key.args.get("nulls_first"))
    return "" if first == bool(key.args.get("desc")) else f" NULLS {'FIRST' if first else 'LAST'}"


def _common(column: TapColumn, other: TapColumn) -> TapColumn:
    """Return the properties of a column that holds values of both; the database decides a type that differs."""
    datatype = column.datatype if column.datatype == other.datatype else ""
    return dataclasses.replace(column, datatype=datatype, weight=column.weight + other.weight)


def _everything(scope: Scope) -> Iterator[RelationColumn]:
    """Yield the columns of *: merged ones first and once."""
    if not scope.relations:
        raise refused("SELECT * needs a FROM.")
    yield from scope.merged.values()
    for relation in scope.relations:
        yield from (column for column in relation.columns if column.column.name.lower() not in scope.merged)


def _result(columns: Sequence[TapColumn]) -> Relation:
    return Relation(None, "", [RelationColumn(f"o{index}", column) for index, column in enumerate(columns)], "")


def _table(schema: exp.Identifier | None, name: exp.Identifier) -> TapTable:
    """Return the table with a name, with or (if unique) without its schema.

    Raises
    ------
    InvalidError
    """
    if schema is None:
        matches = [table for table in TABLES.values() if table.name.lower() == name.name.lower()]
        if len(matches) == 1:
            return matches[0]
        full = name.name
    else:
        full = f"{schema.name}.{name.name}"
        if full.lower() in TABLES:
            return TABLES[full.lower()]
    raise refused(f"There is no table {full!r}. TAP_SCHEMA.tables lists them.")


def _looked_up(pair: PairCondition) -> str:
    """Print a table as an index look-up around the position of each row of an upload."""
    upload = pair.upload.upload
    if upload is None:
        raise ValueError("a pair without an upload")
    number = upload.cone(*pair.places, pair.radius)
    alias, source, other = pair.near.alias, pair.near.source, pair.upload.alias
    # All parts are names generated here.
    inner = f"SELECT * FROM {source} AS v WHERE v.healpix BETWEEN r.low AND r.high OFFSET 0"  # noqa: S608
    ranges = f"unnest({other}.low{number}, {other}.high{number}) AS r(low, high)"
    return f"LATERAL (SELECT v.* FROM {ranges} CROSS JOIN LATERAL ({inner}) AS v) AS {alias}"  # noqa: S608
