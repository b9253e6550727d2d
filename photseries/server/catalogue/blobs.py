"""Statements about blobs: the rows that name them, and the times when they were unlinked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    Text,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    union,
    update,
)

from photseries.server.catalogue.models import Group, Series, SeriesHistory, UnlinkedBlob
from photseries.server.principal import EVERYONE
from photseries.server.settings import StoreSettings

__all__ = ["BLOB", "REMOVAL", "Blob"]

#: Advisory lock that a backup holds exclusively and removals of blobs hold shared.
REMOVAL = 7_302_004

#: The columns that describe a blob.
BLOB = ("filename", "blob_size", "blob_crc", "hash", "blob_format")

#: Rows read at a time.
_BATCH = 1000

#: The largest id that PostgreSQL can store.
_LAST_ID = 2**63 - 1

# Time since a change unlinked a blob [s].
_unlinked_for = func.extract("epoch", func.clock_timestamp() - UnlinkedBlob.unlinked_at)


@dataclass(frozen=True)
class Blob:
    """The description of a blob in its row: key in the store, length [bytes], CRC-32, MD5 (hex), format."""

    series_id: int
    filename: str
    size: int
    crc: int
    hash: str
    format: int

    def columns(self) -> dict[str, object]:
        """Return the column values of the blob."""
        return dict(zip(BLOB, (self.filename, self.size, self.crc, self.hash, self.format), strict=True))

    @property
    def label(self) -> str:
        """Its name in messages."""
        return f"The file {self.filename} of series {self.series_id}"


def unlink(connection: Connection, blob: Blob, owner_id: int) -> int:
    """Record a blob that no row names any more; return the number of recorded blobs of its series."""
    earlier = select(func.count() + 1).where(UnlinkedBlob.series_id == blob.series_id).scalar_subquery()
    values = {"filename": blob.filename, "blob_size": blob.size, "series_id": blob.series_id, "owner_id": owner_id}
    number: int = connection.execute(insert(UnlinkedBlob).values(values).returning(earlier)).scalar_one()
    return number


def purge(connection: Connection, series_id: int) -> None:
    """Make the unlinked blobs of a series due now; call this while the history names them."""
    named = select(SeriesHistory.filename).where(SeriesHistory.series_id == series_id)
    noted = update(UnlinkedBlob).where(UnlinkedBlob.filename.in_(named))
    connection.execute(noted.values(purged=True, series_id=series_id))


def is_kept(grace: float) -> ColumnElement[bool]:
    """Restrict to the unlinked blobs that are kept: younger than the grace, and claimed by no sweep or purge."""
    return and_(~UnlinkedBlob.purged, _unlinked_for < grace)


def reclaim(connection: Connection, filename: str, grace: float) -> bool:
    """Delete the record of a kept blob that a row is about to name again; return whether it was kept.

    The lock on the record makes a concurrent sweep wait for the end of this transaction.
    """
    statement = delete(UnlinkedBlob).where(UnlinkedBlob.filename == filename, is_kept(grace))
    return connection.execute(statement).rowcount == 1


def unreferenced(connection: Connection, filenames: Sequence[str]) -> dict[str, float | None]:
    """Return the unnamed ones of some blobs, with the seconds since they were unlinked (None: never)."""
    candidate = (
        func.unnest(literal(list(filenames), ARRAY(Text))).table_valued("filename").render_derived(name="candidate")
    )
    statement = (
        select(candidate.c.filename, _unlinked_for)
        .outerjoin(UnlinkedBlob, UnlinkedBlob.filename == candidate.c.filename)
        .where(~exists().where(Series.filename == candidate.c.filename))
    )
    return {name: None if age is None else float(age) for name, age in connection.execute(statement)}


def claim_due(connection: Connection, settings: StoreSettings, series_id: int | None = None) -> dict[str, int]:
    """Mark the blobs that are :func:`due` as purged, so that no restore takes them back; return their sizes [bytes]."""
    claimed = update(UnlinkedBlob).where(UnlinkedBlob.filename.in_(due(settings, series_id))).values(purged=True)
    return dict(connection.execute(claimed.returning(UnlinkedBlob.filename, UnlinkedBlob.blob_size)).all())


def due(settings: StoreSettings, series_id: int | None = None) -> Select[tuple[str]]:
    """Select the unlinked blobs to remove, of one series or of all: purged, after the grace, or surplus within it.

    The first blob of a series within the grace and the last ones, ``settings.revisions`` together, are kept; the others
    are surplus, and due when the write deadline has passed since they were unlinked.
    """
    order, part = UnlinkedBlob.unlinked_at, (UnlinkedBlob.series_id, _unlinked_for >= settings.grace)
    from_first = func.row_number().over(partition_by=part, order_by=order)
    from_last = func.row_number().over(partition_by=part, order_by=order.desc())
    surplus = and_(UnlinkedBlob.series_id.is_not(None), from_first > 1, from_last >= settings.revisions)
    old_surplus = and_(surplus, _unlinked_for >= settings.write_deadline)
    is_due = or_(_unlinked_for >= settings.grace, UnlinkedBlob.purged, old_surplus).label("is_due")
    of_series = true() if series_id is None else UnlinkedBlob.series_id == series_id
    noted = select(UnlinkedBlob.filename, is_due).where(of_series).subquery()
    return select(noted.c.filename).where(noted.c.is_due)


def forget(connection: Connection, filenames: Sequence[str]) -> None:
    """Delete the records of removed blobs."""
    connection.execute(delete(UnlinkedBlob).where(UnlinkedBlob.filename.in_(filenames)))


def recorded_filenames(connection: Connection, filenames: Sequence[str]) -> set[str]:
    """Return the filenames that a row names or has named."""
    statement = union(
        *(select(table.filename).where(table.filename.in_(filenames)) for table in (Series, SeriesHistory))
    )
    return set(connection.scalars(statement))


def archive(connection: Connection) -> str:
    """Return the identity of this archive: the creation time of its first group, which dumps contain."""
    made = connection.execute(select(Group.created_at).where(Group.name == EVERYONE)).scalar_one()
    return made.astimezone(UTC).isoformat()


def blobs(connection: Connection) -> Iterator[Blob]:
    """Yield the blob of every series, ordered by the series' id."""
    last = 0
    columns = [getattr(Series, name) for name in ("id", *BLOB)]
    while rows := connection.execute(select(*columns).where(Series.id > last).order_by(Series.id).limit(_BATCH)).all():
        yield from (Blob(*row) for row in rows)
        last = rows[-1].id


def kept_blobs(connection: Connection) -> Iterator[Blob]:
    """Yield the blobs that rows name, and those that a change unlinked and a sweep has not removed, by series id.

    One statement reads both for a series: between two, a restore could point the row back to a blob that neither lists.
    """
    last = 0
    page = select(*(getattr(Series, name) for name in ("id", *BLOB))).order_by(Series.id).limit(_BATCH)
    while True:
        named = page.where(Series.id > last).cte("named")
        end = select(case((func.count() == _BATCH, func.max(named.c.id)), else_=_LAST_ID)).scalar_subquery()
        unlinked = (
            select(*(getattr(SeriesHistory, name) for name in ("series_id", *BLOB)))
            .join(UnlinkedBlob, UnlinkedBlob.filename == SeriesHistory.filename)
            .where(SeriesHistory.series_id > last, SeriesHistory.series_id <= end)
        )
        # A change of sharing repeats the blob in the history.
        rows = connection.execute(union(select(named), unlinked).order_by("id")).all()
        yield from (Blob(*row) for row in rows)
        if len({row.id for row in rows}) < _BATCH:
            return
        last = rows[-1].id


def kept_count(connection: Connection) -> int:
    """Count the blobs that rows name, and those that were unlinked and not removed."""
    return sum(
        connection.execute(select(func.count()).select_from(table)).scalar_one() for table in (Series, UnlinkedBlob)
    )


def blob_of(connection: Connection, series_id: int) -> Blob | None:
    """Return the blob that a series has now; None when it is gone."""
    columns = [getattr(Series, name) for name in ("id", *BLOB)]
    row = connection.execute(select(*columns).where(Series.id == series_id)).one_or_none()
    return None if row is None else Blob(*row)


def of_row(series_id: int, row: RowMapping) -> Blob:
    """Return the blob that a row describes."""
    return Blob(series_id, *(row[name] for name in BLOB))
