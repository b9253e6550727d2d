"""The relations and columns of a FROM clause, resolved by ADQL's rules for names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from sqlglot import exp

from photseries.server.vo.adql.grammar import refused
from photseries.server.vo.tables import TapColumn

__all__ = ["Relation", "RelationColumn", "Scope", "UploadCone", "UploadedTable", "is_same"]


#: Maximum number of cones per upload; HEALPix ranges are computed for each of its rows and each cone.
_MAX_CONES = 8


@dataclass(frozen=True)
class UploadCone:
    """A search around each row of an upload: by two of its columns, within a radius [deg]."""

    ra: int
    dec: int
    radius: float


@dataclass
class UploadedTable:
    """An uploaded table; in the database its columns are c0, c1, ... and those of its cones low0, high0, ...

    Parameters
    ----------
    name : str
    columns : tuple of TapColumn
    rows : sequence of sequence
        None for a missing value.
    cones : list of UploadCone
        The cones that the query needs to look up by index.
    """

    name: str
    columns: tuple[TapColumn, ...]
    rows: Sequence[Sequence[object]] = ()
    cones: list[UploadCone] = field(default_factory=list)

    def cone(self, ra: int, dec: int, radius: float) -> int:
        """Return the number of a cone, adding it if new."""
        new_cone = UploadCone(ra, dec, radius)
        if new_cone not in self.cones:
            if len(self.cones) == _MAX_CONES:
                raise refused(f"The query searches more than {_MAX_CONES} different radii around an uploaded table.")
            self.cones.append(new_cone)
        return self.cones.index(new_cone)


@dataclass(frozen=True)
class RelationColumn:
    """A column: its SQL, and its known properties."""

    sql: str
    column: TapColumn


@dataclass(eq=False)
class Relation:
    """A table, an upload or a subquery in a FROM clause.

    Parameters
    ----------
    called : Identifier or None
        Its name in the query.
    alias : str
        Its name in SQL.
    columns : list of RelationColumn
    sql : str
        Its declaration in SQL.
    position : tuple of int, optional
        The indices of the columns of its indexed position.
    source : str
        The view that it reads.
    upload : UploadedTable, optional
    schema : str
        The schema of a table without an alias, whose columns may be called ``schema.table.column``.
    """

    called: exp.Identifier | None
    alias: str
    columns: list[RelationColumn]
    sql: str
    position: tuple[int, int] | None = None
    source: str = ""
    upload: UploadedTable | None = None
    schema: str = ""

    def find(self, name: exp.Identifier) -> list[int]:
        """Return the indices of the columns with a name."""
        places = self._places.get(name.name.lower(), [])
        return [place for place in places if is_same(name, self.columns[place].column.name, quoted=True)]

    @cached_property
    def _places(self) -> dict[str, list[int]]:
        """The indices of the columns by their names in lower case."""
        places: dict[str, list[int]] = {}
        for place, column in enumerate(self.columns):
            places.setdefault(column.column.name.lower(), []).append(place)
        return places

    def is_called(self, name: exp.Identifier, schema: exp.Identifier | None) -> bool:
        """Return whether a name, perhaps with a schema before it, refers to this relation."""
        if self.called is None or (schema is not None and schema.name.lower() != self.schema.lower()):
            return False
        return is_same(name, self.called.name, quoted=bool(self.called.quoted))


def is_same(name: exp.Identifier, other: str, *, quoted: bool) -> bool:
    """Return whether two names are the same: case counts where both are quoted."""
    return name.name == other if name.quoted and quoted else name.name.lower() == other.lower()


@dataclass(eq=False)
class Scope:
    """The relations of one SELECT, and those of the queries around it; ``merged`` are columns of USING."""

    relations: list[Relation] = field(default_factory=list)
    outer: Scope | None = None
    merged: dict[str, RelationColumn] = field(default_factory=dict)

    def around(self) -> Iterator[Scope]:
        """Yield this scope and those around it, inside out."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.outer

    def relation(self, name: exp.Identifier, schema: exp.Identifier | None = None) -> Relation:
        """Return the relation with a name, perhaps with the schema of its table before it.

        Raises
        ------
        InvalidError
        """
        for scope in self.around():
            matches = [relation for relation in scope.relations if relation.is_called(name, schema)]
            if len(matches) > 1:
                raise refused(f"The table name {name.name!r} is ambiguous.")
            if matches:
                return matches[0]
        raise refused(f"The query uses the table {name.name!r}, which its FROM does not name.")

    def resolve(self, column: exp.Column) -> tuple[Relation | None, int, RelationColumn]:
        """Resolve a reference to its relation, the index of the column, and the column.

        Raises
        ------
        InvalidError
        """
        name, table = column.this, column.args.get("table")
        if table is not None:
            relation = self.relation(table, column.args.get("db"))
            places = relation.find(name)
            if len(places) != 1:
                raise refused(f"{'No' if not places else 'More than one'} column {name.name!r} in {table.name!r}.")
            return relation, places[0], relation.columns[places[0]]
        for scope in self.around():
            if (merged := scope.merged.get(name.name.lower())) is not None:
                return None, 0, merged
            matches = [(relation, index) for relation in scope.relations for index in relation.find(name)]
            if len(matches) > 1:
                raise refused(f"The column name {name.name!r} is ambiguous: put the table before it.")
            if matches:
                relation, index = matches[0]
                return relation, index, relation.columns[index]
        raise refused(f"There is no column {name.name!r}. TAP_SCHEMA.columns lists the columns of each table.")
