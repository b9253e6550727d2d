"""Statements of an export: the series in each part of the sky, and those that changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Any

import orjson
from sqlalchemy import ARRAY, BigInteger, ColumnElement, Connection, Integer, Subquery, cast, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from photseries.fields import EXPORTED
from photseries.lightcurve.sky import ORDER
from photseries.server.catalogue.access import visible
from photseries.server.catalogue.blobs import BLOB, Blob, of_row
from photseries.server.catalogue.models import SERIES
from photseries.server.principal import Principal

__all__ = ["Cell", "Member", "cells", "fingerprint", "members"]

#: The weight of the metadata of a series, in measurements.
METADATA_WEIGHT = 32


@dataclass(frozen=True)
class Cell:
    """The content of a HEALPix pixel.

    Attributes
    ----------
    pixel : int
        Its number, nested scheme.
    low, high : int
        The smallest and the largest number of order 29 in it.
    weight : int
        Its measurements, plus the weight of metadata.
    fingerprint : int
        The fingerprint of its series; see :func:`fingerprint`.
    """

    pixel: int
    low: int
    high: int
    weight: int
    fingerprint: int


@dataclass(frozen=True)
class Member:
    """A series of an export: the position of its row, its EXPORTED fields, its blob and its fingerprint part."""

    healpix: int
    values: tuple[Any, ...]
    blob: Blob
    mark: int


def cells(
    connection: Connection, principal: Principal, order: int, within: Sequence[int] | None, *, by_source: bool
) -> Iterator[Cell]:
    """Sum up the visible series by pixel.

    Parameters
    ----------
    order : int
        Of the pixels.
    within : sequence of int, optional
        Pixels of the previous order, which contain the pixels to return.
    by_source : bool
        Whether all series of a source have the position of the one with the smallest id.
    """
    placed = _positions(principal, by_source=by_source)
    pixel = _pixel(placed.c.healpix, order)
    statement = select(
        pixel.label("pixel"),
        func.min(placed.c.healpix).label("low"),
        func.max(placed.c.healpix).label("high"),
        cast(func.sum(placed.c.weight), BigInteger).label("weight"),
        func.bit_xor(placed.c.mark).label("fingerprint"),
    ).group_by(pixel)
    if within is not None:
        statement = statement.where(_pixel(placed.c.healpix, order - 1) == func.any(literal(within, ARRAY(BigInteger))))
    for row in connection.execute(statement.order_by(pixel)):
        yield Cell(*row)


def members(connection: Connection, principal: Principal, low: int, high: int, *, by_source: bool) -> list[Member]:
    """Yield the visible series between two HEALPix numbers of order 29, in their order, grouped by source."""
    here = SERIES.healpix.between(low, high)
    pixel: ColumnElement[int] = SERIES.healpix
    chosen = select(_mark().label("mark"), *(SERIES[name] for name in dict.fromkeys((*EXPORTED, *BLOB))))
    if by_source:
        pixel = func.first_value(SERIES.healpix).over(partition_by=SERIES.obj_id, order_by=SERIES.id)
        here = SERIES.obj_id.in_(select(SERIES.obj_id).where(visible(principal), here))
    matches = chosen.add_columns(pixel.label("place")).where(visible(principal), here).subquery()
    order = (matches.c.place, matches.c.obj_id, matches.c.id)
    rows = connection.execute(select(matches).where(matches.c.place.between(low, high)).order_by(*order)).mappings()
    return [
        Member(row["place"], tuple(_json_text(row[name]) for name in EXPORTED), of_row(row["id"], row), row["mark"])
        for row in rows
    ]


def fingerprint(marks: Iterable[int]) -> int:
    """Return the fingerprint of some series, which changes with every added, removed or changed series."""
    return reduce(xor, marks, 0)


def _positions(principal: Principal, *, by_source: bool) -> Subquery:
    """Return the position, the weight and the mark of each series, or of each source."""
    seen, weight = visible(principal), SERIES.num_exp + METADATA_WEIGHT
    if not by_source:
        return select(SERIES.healpix, weight.label("weight"), _mark().label("mark")).where(seen).subquery()
    first = func.array_agg(aggregate_order_by(SERIES.healpix, SERIES.id), type_=ARRAY(BigInteger))[1]
    together = (func.sum(weight).label("weight"), func.bit_xor(_mark()).label("mark"))
    return select(first.label("healpix"), *together).where(seen).group_by(SERIES.obj_id).subquery()


def _mark() -> ColumnElement[int]:
    """Return the part of a series in a fingerprint."""
    revision = func.hashint8extended(SERIES.id, cast(SERIES.revision, BigInteger), type_=BigInteger)
    # A period creates no revision, so it is part of the mark; without one the mark equals that of earlier exports.
    return revision.op("#")(func.coalesce(func.hashfloat8extended(SERIES.period, SERIES.id), 0))


def _pixel(healpix: ColumnElement[int], order: int) -> ColumnElement[int]:
    return healpix.op(">>")(literal(2 * (ORDER - order), Integer))


def _json_text(value: object) -> object:
    """Return a JSON object as text."""
    return orjson.dumps(value).decode() if isinstance(value, dict | list) else value
