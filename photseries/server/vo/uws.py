"""Universal Worker Service 1.1: asynchronous query jobs and their documents."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from photseries.errors import InvalidError, NotFoundError, PhotseriesError, TooLargeError
from photseries.formats.xml import document, element, escaped
from photseries.server.catalogue import vo_jobs
from photseries.server.catalogue.engine import Catalogue, Connection
from photseries.server.catalogue.vo_jobs import ENDED, RESULT, Job
from photseries.server.catalogue.vo_queries import Context
from photseries.server.disk import space_for
from photseries.server.principal import Principal
from photseries.server.settings import VOSettings
from photseries.server.vo import tap

__all__ = ["PHASES", "Jobs", "job_document", "list_document", "moment_text", "parameters_document", "results_document"]

PHASES: Final = ("PENDING", "QUEUED", "EXECUTING", *ENDED)

_NAMESPACES: Final = {
    "xmlns:uws": "http://www.ivoa.net/xml/UWS/v1.0",
    "xmlns:xlink": "http://www.w3.org/1999/xlink",
    "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
}
_PIECE: Final = 1024 * 1024
_KNOWN: Final = ("REQUEST", "LANG", "QUERY", "MAXREC", "RESPONSEFORMAT", "FORMAT", "RUNID", "UPLOAD")
#: Maximum size of parameters other than QUERY [bytes].
_OTHERS: Final = 4096


class _GoneError(Exception):
    """A job was aborted or deleted, or runs elsewhere."""


class Jobs:
    """The use cases of jobs."""

    def __init__(self, catalogue: Catalogue, settings: VOSettings) -> None:
        self._catalogue = catalogue
        self._settings = settings

    def create(self, principal: Principal, texts: Mapping[str, str], uploads: Mapping[str, bytes], network: int) -> str:
        """Create a pending job; return its id.

        Parameters
        ----------
        texts : mapping of str to str
            The parameters.
        uploads : mapping of str to bytes
            Tables by their names.
        network : int
            A positive number that stands for the client's network: the jobs of a client without a token are counted
            by it.

        Raises
        ------
        InvalidError, TooLargeError, ForbiddenError, QuotaExceededError
        """
        parameters = self._query_parameters(texts)
        now = datetime.now(UTC)
        values = {
            "id": secrets.token_hex(12),
            "owner_id": principal.user_id or -network,
            "phase": "PENDING",
            "parameters": parameters,
            "created_at": now,
            "duration": self._settings.job_timeout,
            "destruction": now + timedelta(seconds=self._settings.job_lifetime),
        }
        with self._catalogue.transaction() as connection:
            vo_jobs.create(connection, values, uploads, self._settings.jobs_per_user, self._settings.job_storage)
        return str(values["id"])

    def _query_parameters(self, texts: Mapping[str, str]) -> dict[str, str]:
        parameters = {name: texts[name] for name in _KNOWN if name in texts}
        if sum(len(text.encode("utf-8", "replace")) for text in parameters.values()) > self._settings.query + _OTHERS:
            raise TooLargeError(f"QUERY has more than {self._settings.query:,} bytes. Upload long lists as a table.")
        return parameters

    def get(self, principal: Principal, job_id: str) -> Job:
        """Return a job of the principal.

        Raises
        ------
        NotFoundError
            When it is absent, belongs to another user, or was run by a System admin token and the principal has none.
        """
        with self._catalogue.transaction() as connection:
            return _get(connection, principal, job_id)

    def find(self, principal: Principal) -> list[Job]:
        """Return the jobs of the principal; none without a token, because the id of an anonymous job is its secret."""
        if principal.is_anonymous:
            return []
        with self._catalogue.transaction() as connection:
            return vo_jobs.find(connection, principal)

    def change(self, principal: Principal, job_id: str, texts: Mapping[str, str]) -> None:
        """Set parameters of a pending job, its execution duration or its destruction.

        Raises
        ------
        NotFoundError, InvalidError
        """
        with self._catalogue.transaction() as connection:
            job = _get(connection, principal, job_id, lock=True)
            values: dict[str, object] = {}
            if "DESTRUCTION" in texts:
                values["destruction"] = self._destruction(texts["DESTRUCTION"])
            if "EXECUTIONDURATION" in texts:
                values["duration"] = self._duration(texts["EXECUTIONDURATION"])
            if set(texts) & set(_KNOWN):
                values["parameters"] = self._query_parameters({**job.parameters, **texts})
                if job.phase != "PENDING":
                    raise InvalidError(f"The job is {job.phase}: parameters can be set while it is PENDING.")
            if values:
                vo_jobs.change(connection, job.id, values, job.phase)

    def _destruction(self, text: str) -> datetime:
        return min(_moment("DESTRUCTION", text), datetime.now(UTC) + timedelta(seconds=self._settings.job_lifetime))

    def _duration(self, text: str) -> float:
        plain = text.strip()
        if not (plain.isascii() and plain.isdigit() and len(plain) < 10):
            raise InvalidError(f"EXECUTIONDURATION {text[:40]!r} must be a whole number of seconds.")
        return min(float(plain) or self._settings.job_timeout, self._settings.job_timeout)

    def queued(self, job_ids: Iterable[str]) -> set[str]:
        """Return those of some jobs that are still queued."""
        with self._catalogue.reading() as connection:
            return vo_jobs.queued(connection, job_ids)

    def queue(self, principal: Principal, job_id: str) -> None:
        """Queue a pending job.

        Raises
        ------
        NotFoundError
        InvalidError
            When it is not pending, or has no query.
        """
        with self._catalogue.transaction() as connection:
            job = _get(connection, principal, job_id)
            if not job.parameters.get("QUERY"):
                raise InvalidError("The job has no QUERY. Set it before PHASE=RUN.")
            if not vo_jobs.change(connection, job.id, {"phase": "QUEUED"}, "PENDING"):
                raise InvalidError(f"The job is {job.phase}: only a PENDING one can be run.")

    def abort(self, principal: Principal, job_id: str) -> None:
        """Abort a job; a finished job is unchanged."""
        with self._catalogue.transaction() as connection:
            vo_jobs.abort(connection, _get(connection, principal, job_id).id)

    def remove(self, principal: Principal, job_id: str) -> None:
        """Abort a job and delete it with its result."""
        with self._catalogue.transaction() as connection:
            vo_jobs.remove(connection, _get(connection, principal, job_id).id)

    def execute(self, job: Job, context: Callable[[], Context]) -> None:
        """Run the query of a queued job, unless another process does; record the outcome in the job.

        Parameters
        ----------
        job : Job
        context : callable
            Returns what the query may see when it begins, which may be hours after it was queued.
        """

        def begun(backend: int) -> None:
            with self._catalogue.transaction() as connection:
                if not vo_jobs.start(connection, job.id, backend, current.principal):
                    raise _GoneError

        try:
            with self._catalogue.reading() as connection:
                if vo_jobs.phase(connection, job.id) != "QUEUED":  # it was aborted, or another process runs it
                    return
                uploads = dict(vo_jobs.uploads(connection, job.id))
            request = tap.parse_request(job.parameters, uploads, self._settings)
            current = context()
            with space_for("the result"), tempfile.TemporaryFile() as file:
                for piece in tap.execute(self._catalogue, current, request, self._settings, begun=begun):
                    file.write(piece)
                file.seek(0)
                self._complete(job, iter(lambda: file.read(_PIECE), b""), request.form.media_type)
        except _GoneError:
            return
        except PhotseriesError as error:
            self._fail(job, error.message)
        except Exception:
            self._fail(job, "Internal error. Report it to the operator.")
            raise

    def _complete(self, job: Job, pieces: Iterable[bytes], media_type: str) -> None:
        with self._catalogue.transaction() as connection:
            if vo_jobs.finish(connection, job.id, "COMPLETED", media_type=media_type):
                vo_jobs.add_pieces(connection, job.id, RESULT, pieces)
                limits = self._settings.jobs_per_user, self._settings.job_storage
                vo_jobs.remove_oldest(connection, job.owner_id, *limits, kept=job.id)

    def _fail(self, job: Job, message: str) -> None:
        with contextlib.suppress(PhotseriesError), self._catalogue.transaction() as connection:
            vo_jobs.finish(connection, job.id, "ERROR", error=message)

    def result(self, job: Job) -> Iterator[bytes]:
        """Yield the pieces of the result of a job.

        Raises
        ------
        NotFoundError
            When it has no result, or was deleted before the last piece.
        """
        if job.phase != "COMPLETED":
            raise NotFoundError(f"The job has no result: it is {job.phase}.")
        index = 0
        while True:
            with self._catalogue.reading() as connection:
                content = vo_jobs.piece(connection, job.id, index)
                is_deleted = content is None and vo_jobs.phase(connection, job.id) is None
            if is_deleted:
                raise NotFoundError(f"The job {job.id!r} was deleted.")
            if content is None:
                return
            yield content
            index += 1


def _get(connection: Connection, principal: Principal, job_id: str, *, lock: bool = False) -> Job:
    """Return a job, or raise NotFoundError."""
    job = vo_jobs.get(connection, principal, job_id, lock=lock) if job_id.isalnum() else None
    if job is None:
        raise NotFoundError(f"No job {job_id[:40]!r} of yours.")
    return job


def _moment(name: str, text: str) -> datetime:
    """Parse a date and time, by default in UTC; convert it to UTC, as PostgreSQL refuses offsets of 16 hours and more.

    Raises
    ------
    InvalidError
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidError(f"{name} {text[:40]!r} must be a date and time, e.g. 2030-01-01T00:00:00Z.") from None


def moment_text(moment: datetime | None) -> str:
    """Format a timestamp for UWS; empty for None."""
    if moment is None:
        return ""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _maybe(tag: str, text: str) -> str:
    return element(tag, escaped(text)) if text else element(tag, **{"xsi:nil": "true"})


def job_document(job: Job, url: str, owner: str) -> str:
    """Write the UWS document of a job.

    Parameters
    ----------
    url : str
        Of the job.
    owner : str
        The name of its owner; empty without one.
    """
    parts = (
        element("uws:jobId", job.id),
        _run_id(job),
        _maybe("uws:ownerId", owner),
        element("uws:phase", job.phase),
        element("uws:quote", **{"xsi:nil": "true"}),
        element("uws:creationTime", moment_text(job.created_at)),
        _maybe("uws:startTime", moment_text(job.started_at)),
        _maybe("uws:endTime", moment_text(job.ended_at)),
        element("uws:executionDuration", str(round(job.duration))),
        element("uws:destruction", moment_text(job.destruction)),
        element("uws:parameters", _parameters(job)),
        element("uws:results", _result(job, url, job.media_type)),
        _error(job),
    )
    return document("uws:job", "".join(parts), version="1.1", **_NAMESPACES)


def _run_id(job: Job) -> str:
    return element("uws:runId", escaped(job.parameters["RUNID"])) if "RUNID" in job.parameters else ""


def _parameters(job: Job) -> str:
    return "".join(element("uws:parameter", escaped(text), id=name) for name, text in job.parameters.items())


def _result(job: Job, url: str, media_type: str | None = None) -> str:
    if job.phase != "COMPLETED":
        return ""
    return element("uws:result", id=RESULT, **{"xlink:href": f"{url}/results/{RESULT}", "mime-type": media_type})


def _error(job: Job) -> str:
    if job.phase != "ERROR":
        return ""
    message = element("uws:message", escaped(job.error or "unknown"))
    return element("uws:errorSummary", message, type="fatal", hasDetail="true")


def parameters_document(job: Job) -> str:
    """Write the parameters of a job."""
    return document("uws:parameters", _parameters(job), **_NAMESPACES)


def results_document(job: Job, url: str) -> str:
    """Write the list of results of a job."""
    return document("uws:results", _result(job, url), **_NAMESPACES)


def list_document(jobs: Iterable[Job], url: str, filters: Mapping[str, list[str]]) -> str:
    """Write the list of jobs, filtered by PHASE, AFTER and LAST.

    Raises
    ------
    InvalidError
    """
    chosen = [job for job in jobs if "PHASE" not in filters or job.phase in filters["PHASE"]]
    if after := filters.get("AFTER"):
        moment = _moment("AFTER", after[-1])
        chosen = [job for job in chosen if job.created_at > moment]
    if last := filters.get("LAST"):
        if not (last[-1].isascii() and last[-1].isdigit() and 0 < len(last[-1]) < 10 and int(last[-1])):
            raise InvalidError(f"LAST {last[-1][:40]!r} must be a positive whole number.")
        chosen = chosen[: int(last[-1])]
    entries = "".join(
        element(
            "uws:jobref",
            element("uws:phase", job.phase) + _run_id(job) + element("uws:creationTime", moment_text(job.created_at)),
            id=job.id,
            **{"xlink:href": f"{url}/{job.id}"},
        )
        for job in chosen
    )
    return document("uws:jobs", entries, version="1.1", **_NAMESPACES)
