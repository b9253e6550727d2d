"""The statement that tells which columns of numbers the tables of series have."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, func, select, true

from photseries.parameters import Query
from photseries.server.catalogue.conditions import matching
from photseries.server.catalogue.models import SERIES, Series
from photseries.server.catalogue.portions import names_in
from photseries.server.principal import Principal

__all__ = ["columns"]


def columns(connection: Connection, principal: Principal, query: Query) -> Mapping[str, int]:
    """Count, of the visible series that match a query, those whose tables have a column of numbers, for each name.

    The names come in about the order that they have in the tables.
    """
    query, _ = names_in(connection, query)
    named = func.json_object_keys(SERIES.medians).table_valued("name", with_ordinality="place").render_derived()
    counted = (
        select(named.c.name, func.count().label("number"))
        .select_from(Series.__table__.join(named, true()))
        .where(*matching(principal, query))
        .group_by(named.c.name)
        .order_by(func.avg(named.c.place), named.c.name)
    )
    return {row.name: row.number for row in connection.execute(counted)}
