"""Statements about TAP jobs: query, phase, and the pieces of uploads and results."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Text, and_, case, column, delete, func, insert, select, table, text, update

from photseries.errors import ForbiddenError
from photseries.server.catalogue.models import VOJob, VOPiece

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


def create(connection: Connection, values: Mapping[str, Any], uploads: Mapping[str, bytes], limit: int) -> None:
    """Insert a job with its uploaded tables; delete expired jobs.

    Raises
    ------
    ForbiddenError
        When the owner has too many unfinished jobs.
    """
    own_jobs = VOJob.owner_id == values["owner_id"]
    connection.execute(delete(VOJob).where(VOJob.destruction < func.clock_timestamp()))
    newest = select(VOJob.id).where(own_jobs).order_by(VOJob.created_at.desc()).limit(limit - 1)
    connection.execute(delete(VOJob).where(own_jobs, VOJob.phase.in_(ENDED), VOJob.id.not_in(newest)))
    if (connection.scalar(select(func.count()).select_from(VOJob).where(own_jobs)) or 0) >= limit:
        raise ForbiddenError(f"You have {limit} jobs, which is the limit. Delete one that you no longer need.")
    connection.execute(insert(VOJob).values(**values))
    for name, content in uploads.items():
        add_pieces(connection, values["id"], f"{_UPLOAD}{name}", [content])


def get(connection: Connection, owner_id: int, job_id: str) -> Job | None:
    """Return a job of an owner; an abandoned job becomes a failed one."""
    own_job = and_(VOJob.id == job_id, VOJob.owner_id == owner_id)
    row = connection.execute(select(*_OWN).where(own_job, VOJob.destruction >= func.clock_timestamp())).one_or_none()
    if row is not None and row.phase == "EXECUTING" and not _is_alive(connection, row):
        finish(connection, job_id, "ERROR", error=_ABANDONED)
        row = connection.execute(select(*_OWN).where(own_job)).one_or_none()
    return None if row is None else Job(**row._mapping)


def find(connection: Connection, owner_id: int) -> list[Job]:
    """Return the jobs of an owner, newest first."""
    own_jobs = (VOJob.owner_id == owner_id, VOJob.destruction >= func.clock_timestamp())
    rows = connection.execute(select(*_OWN).where(*own_jobs).order_by(VOJob.created_at.desc()))
    return [Job(**row._mapping) for row in rows]


def change(connection: Connection, job_id: str, values: Mapping[str, object], *phases: str) -> bool:
    """Set columns of a job in one of some phases; return whether it was."""
    statement = update(VOJob).where(VOJob.id == job_id, VOJob.phase.in_(phases)).values(**values)
    return connection.execute(statement).rowcount == 1


def start(connection: Connection, job_id: str, backend: int) -> bool:
    """Record that a backend begins to execute a queued job; return whether it was queued."""
    now = func.clock_timestamp()
    return change(connection, job_id, {"phase": "EXECUTING", "started_at": now, "backend": backend}, "QUEUED")


def finish(
    connection: Connection, job_id: str, phase: str, *, error: str | None = None, media_type: str | None = None
) -> bool:
    """End an executing job; return whether it was executing."""
    now = func.clock_timestamp()
    values = {"phase": phase, "ended_at": now, "backend": None, "error": error, "media_type": media_type}
    return change(connection, job_id, values, "EXECUTING", "QUEUED")


#: The start of a backend's transaction, and how long to wait for its end [s].
_BEGAN: Final = text("SELECT xact_start FROM pg_stat_activity WHERE pid = :backend")
_CANCEL_TIME: Final = 5.0


def abort(connection: Connection, job_id: str) -> None:
    """Abort a job that has not ended, and cancel its query.

    The row is locked, so that the backend cannot have ended the job and run another query.
    """
    backend = connection.scalar(select(VOJob.backend).where(VOJob.id == job_id).with_for_update())
    now = func.clock_timestamp()
    ended = case((VOJob.started_at.is_not(None), now), else_=None)
    values = {"phase": "ABORTED", "ended_at": ended, "backend": None}
    if change(connection, job_id, values, "PENDING", "QUEUED", "EXECUTING", "HELD") and backend is not None:
        _cancel(connection, backend)


def _cancel(connection: Connection, backend: int) -> None:
    """Cancel the transaction of a backend; repeat requests that were lost between two of its statements."""
    began = connection.scalar(_BEGAN, {"backend": backend})
    deadline = time.monotonic() + _CANCEL_TIME
    while began is not None and time.monotonic() < deadline:
        connection.execute(select(func.pg_cancel_backend(backend)))
        time.sleep(0.02)
        connection.execute(select(func.pg_stat_clear_snapshot()))
        if connection.scalar(_BEGAN, {"backend": backend}) != began:
            return


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


def _is_alive(connection: Connection, job: Row[*tuple[object, ...]]) -> bool:
    """Return whether the backend of a job is alive."""
    activity = table("pg_stat_activity", column("pid"), column("datname", Text))
    count = select(func.count()).select_from(activity)
    return bool(connection.scalar(count.where(activity.c.pid == job.backend)))
