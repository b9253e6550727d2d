"""Statements about the marks of places: stores and exports that belong to this database."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from photseries.server.catalogue.models import PlaceMark

__all__ = ["MarkRow"]


@dataclass(frozen=True)
class MarkRow:
    """The row of a place: its epoch, its turn, and the announced next turn."""

    epoch: int
    turn: str
    next_turn: str | None


def database(connection: Connection) -> str:
    """Return the cluster identifier and the database OID, which distinguish this database from its copies.

    Neither is part of a dump. A role that may not execute ``pg_control_system()`` sees 0 as the identifier.
    """
    oid = "oid FROM pg_database WHERE datname = current_database()"
    may = connection.scalar(text("SELECT has_function_privilege('pg_control_system()', 'EXECUTE')"))
    cluster = "(SELECT system_identifier FROM pg_control_system())" if may else "0"
    return str(connection.scalar(text(f"SELECT {cluster} || '/' || {oid}")))


def get(connection: Connection, place: str) -> MarkRow | None:
    """Return the row of a place, or None."""
    columns = (PlaceMark.epoch, PlaceMark.turn, PlaceMark.next_turn)
    row = connection.execute(select(*columns).where(PlaceMark.place == place)).one_or_none()
    return None if row is None else MarkRow(*row)


def put(connection: Connection, place: str, row: MarkRow) -> None:
    """Insert or replace the row of a place."""
    values = {"epoch": row.epoch, "turn": row.turn, "next_turn": row.next_turn}
    statement = insert(PlaceMark).values(place=place, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["place"], set_=values))


def announce(connection: Connection, place: str, turn: str) -> str:
    """Announce and return the next turn of a place; an announced turn that was not completed stays."""
    announced = func.coalesce(PlaceMark.next_turn, turn)
    statement = update(PlaceMark).where(PlaceMark.place == place).values(next_turn=announced)
    return str(connection.execute(statement.returning(PlaceMark.next_turn)).scalar_one())


def take(connection: Connection, place: str, turn: str) -> None:
    """Make the announced turn the current one."""
    where = (PlaceMark.place == place, PlaceMark.next_turn == turn)
    connection.execute(update(PlaceMark).where(*where).values(turn=turn, next_turn=None))
