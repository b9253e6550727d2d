"""Statements about TAP jobs: query, phase, and the pieces of uploads and results."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    and_,
    case,
    column,
    delete,
    func,
    insert,
    not_,
    select,
    table,
    text,
    true,
    update,
)

from photseries.errors import ForbiddenError, QuotaExceededError
from photseries.server.catalogue.models import VOJob, VOPiece
from photseries.server.principal import Principal

__all__ = ["ENDED", "RESULT", "Job"]

#: The final phases.
ENDED: Final = ("COMPLETED", "ERROR", "ABORTED")

#: The name of the result among the pieces of a job.
RESULT: Final = "result"

_UPLOAD: Final = "upload "
_ABANDONED: Final = "The service stopped while the job was running. Create it again."


@dataclass(frozen=True)
class Job:
    """The current state of a job."""

    id: str
    owner_id: int
    phase: str
    parameters: Mapping[str, str]
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    duration: float
    destruction: datetime
    error: str | None
    media_type: str | None
    backend: int | None


_JOBS: Final = VOJob.__table__.c
_OWN: Final = [_JOBS[name] for name in Job.__dataclass_fields__]


def create(
    connection: Connection, values: Mapping[str, Any], uploads: Mapping[str, bytes], limit: int, storage: int
) -> None:
    """Insert a job with its uploaded tables; delete expired jobs.

    Parameters
    ----------
    limit : int
        Maximum number of jobs of the owner.
    storage : int
        Maximum size of the uploads and results of these jobs [bytes].

    Raises
    ------
    ForbiddenError
        When the owner has too many unfinished jobs.
    QuotaExceededError
        When the uploads of unfinished jobs are too large.
    """
    connection.execute(delete(VOJob).where(VOJob.destruction < func.clock_timestamp()))
    _end_abandoned(connection, VOJob.owner_id == values["owner_id"])
    number, size = remove_oldest(connection, values["owner_id"], limit - 1, storage - sum(map(len, uploads.values())))
    if number >= limit:
        raise ForbiddenError(f"You have {limit} jobs, which is the limit. Delete one that you no longer need.")
    if uploads and size + sum(map(len, uploads.values())) > storage:
        raise QuotaExceededError(f"The uploads of your jobs would exceed {storage:,} bytes. Delete a job that waits.")
    connection.execute(insert(VOJob).values(**values))
    for name, content in uploads.items():
        add_pieces(connection, values["id"], f"{_UPLOAD}{name}", [content])


def remove_oldest(connection: Connection, owner_id: int, limit: int, storage: int, kept: str = "") -> tuple[int, int]:
    """Delete the oldest ended jobs of an owner beyond a number of jobs and a size of uploads and results.

    Parameters
    ----------
    limit : int
        The number.
    storage : int
        The size [bytes].
    kept : str, optional
        The id of a job that is not deleted.

    Returns
    -------
    tuple of int
        The number of jobs that remain, and their size [bytes].
    """
    size = func.coalesce(
        select(func.sum(func.length(VOPiece.content))).where(VOPiece.job_id == VOJob.id).scalar_subquery(), 0
    )
    jobs = select(VOJob.id, VOJob.phase, size.label("size")).where(VOJob.owner_id == owner_id)
    number, total, old = 0, 0, []
    for job_id, phase, own_size in connection.execute(jobs.order_by(VOJob.created_at.desc())):
        if phase in ENDED and job_id != kept and (number >= limit or total + own_size > storage):
            old.append(job_id)
        else:
            number, total = number + 1, total + int(own_size)
    if old:
        connection.execute(delete(VOJob).where(VOJob.id.in_(old), VOJob.phase.in_(ENDED)))
    return number, total


def get(connection: Connection, principal: Principal, job_id: str, *, lock: bool = False) -> Job | None:
    """Return a job of a principal, with a lock on its row for a change; an abandoned job becomes a failed one.

    Without a token the id of a job without a token suffices.
    """
    jobs = _find(connection, principal, VOJob.id == job_id, lock=lock)
    return jobs[0] if jobs else None


def find(connection: Connection, principal: Principal) -> list[Job]:
    """Return the jobs of a principal, newest first; abandoned jobs become failed ones."""
    return _find(connection, principal, true())


def _find(
    connection: Connection, principal: Principal, chosen: ColumnElement[bool], *, lock: bool = False
) -> list[Job]:
    own = and_(_visible(principal), VOJob.destruction >= func.clock_timestamp(), chosen)
    _end_abandoned(connection, own)
    statement = select(*_OWN).where(own).order_by(VOJob.created_at.desc())
    rows = connection.execute(statement.with_for_update() if lock else statement)
    return [Job(**row._mapping) for row in rows]


def queued(connection: Connection, job_ids: Iterable[str]) -> set[str]:
    """Return those of some jobs that are queued."""
    return set(connection.scalars(select(VOJob.id).where(VOJob.id.in_(job_ids), VOJob.phase == "QUEUED")))


def _visible(principal: Principal) -> ColumnElement[bool]:
    """Restrict to own jobs whose result cannot contain more than the token of the principal shows."""
    owner_id = principal.user_id
    own = VOJob.owner_id == owner_id if owner_id else VOJob.owner_id <= 0
    return own if principal.is_admin else and_(own, not_(VOJob.as_admin))


def change(connection: Connection, job_id: str, values: Mapping[str, object], *phases: str) -> bool:
    """Set columns of a job in one of some phases; return whether it was."""
    statement = update(VOJob).where(VOJob.id == job_id, VOJob.phase.in_(phases)).values(**values)
    return connection.execute(statement).rowcount == 1


def start(connection: Connection, job_id: str, backend: int, principal: Principal) -> bool:
    """Record that a backend begins to execute a queued job for a principal; return whether it was queued."""
    now = func.clock_timestamp()
    values = {"phase": "EXECUTING", "started_at": now, "backend": backend, "as_admin": principal.is_admin}
    return change(connection, job_id, values, "QUEUED")


def phase(connection: Connection, job_id: str) -> str | None:
    """Return the phase of a job, or None if it was deleted."""
    return connection.scalar(select(VOJob.phase).where(VOJob.id == job_id))


def finish(
    connection: Connection, job_id: str, phase: str, *, error: str | None = None, media_type: str | None = None
) -> bool:
    """End an executing job, and delete its uploads; return whether it was executing."""
    now = func.clock_timestamp()
    values = {"phase": phase, "ended_at": now, "backend": None, "error": error, "media_type": media_type}
    was_executing = change(connection, job_id, values, "EXECUTING", "QUEUED")
    if was_executing:
        _remove_uploads(connection, job_id)
    return was_executing


def _remove_uploads(connection: Connection, job_id: str) -> None:
    connection.execute(delete(VOPiece).where(VOPiece.job_id == job_id, VOPiece.name.startswith(_UPLOAD)))


#: How long to wait for the end of a backend's transaction [s].
_CANCEL_TIME: Final = 5.0


def abort(connection: Connection, job_id: str) -> None:
    """Abort a job that has not ended, and cancel its query.

    The row is locked, so that the backend cannot have ended the job and run another query.
    """
    backend = connection.scalar(select(VOJob.backend).where(VOJob.id == job_id).with_for_update())
    now = func.clock_timestamp()
    ended = case((VOJob.started_at.is_not(None), now), else_=None)
    values = {"phase": "ABORTED", "ended_at": ended, "backend": None}
    if change(connection, job_id, values, "PENDING", "QUEUED", "EXECUTING", "HELD"):
        _remove_uploads(connection, job_id)
        if backend is not None:
            _cancel(connection, backend)


def _cancel(connection: Connection, backend: int) -> None:
    """Cancel the transaction of a backend; repeat requests that were lost between two of its statements."""
    began, deadline = _began(connection, backend), time.monotonic() + _CANCEL_TIME
    while began is not None and time.monotonic() < deadline:
        connection.execute(select(func.pg_cancel_backend(backend)))
        time.sleep(0.02)
        if _began(connection, backend) != began:
            return


def _began(connection: Connection, backend: int) -> object:
    """Return the start of a backend's transaction; a transaction sees old activity until it clears its snapshot."""
    connection.execute(select(func.pg_stat_clear_snapshot()))
    return connection.scalar(text("SELECT xact_start FROM pg_stat_activity WHERE pid = :backend"), {"backend": backend})


def remove(connection: Connection, job_id: str) -> None:
    """Abort a job and delete it."""
    abort(connection, job_id)
    connection.execute(delete(VOJob).where(VOJob.id == job_id))


def add_pieces(connection: Connection, job_id: str, name: str, pieces: Iterable[bytes]) -> None:
    """Add the pieces of an upload or of a result."""
    for index, content in enumerate(pieces):
        connection.execute(insert(VOPiece).values(job_id=job_id, name=name, place=index, content=content))


def piece(connection: Connection, job_id: str, index: int) -> bytes | None:
    """Return a piece of the result, or None after the last one."""
    statement = select(VOPiece.content).where(VOPiece.job_id == job_id, VOPiece.name == RESULT, VOPiece.place == index)
    content = connection.scalar(statement)
    return None if content is None else bytes(content)


def uploads(connection: Connection, job_id: str) -> Iterator[tuple[str, bytes]]:
    """Yield the uploaded tables of a job."""
    own_pieces = (VOPiece.job_id == job_id, VOPiece.name.startswith(_UPLOAD))
    for name, content in connection.execute(select(VOPiece.name, VOPiece.content).where(*own_pieces)):
        yield name.removeprefix(_UPLOAD), bytes(content)


def _end_abandoned(connection: Connection, chosen: ColumnElement[bool]) -> None:
    """Record the failure of executing jobs whose backends are gone."""
    alive = select(column("pid", Integer)).select_from(table("pg_stat_activity"))
    abandoned = and_(chosen, VOJob.phase == "EXECUTING", VOJob.backend.not_in(alive))
    for job_id in connection.scalars(select(VOJob.id).where(abandoned)).all():
        finish(connection, job_id, "ERROR", error=_ABANDONED)
