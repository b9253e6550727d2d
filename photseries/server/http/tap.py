"""The handlers of TAP: synchronous queries, jobs, and service metadata."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import hashlib
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import IO, ClassVar, Final
from urllib.parse import parse_qs

from photseries.errors import (
    BusyError,
    InvalidError,
    NotFoundError,
    PhotseriesError,
    UnavailableError,
    UnsupportedMediaTypeError,
)
from photseries.server.catalogue import vo_queries
from photseries.server.catalogue.vo_jobs import ENDED, Job
from photseries.server.catalogue.vo_queries import Context
from photseries.server.disk import space_for
from photseries.server.http.base import ANY, BaseHandler
from photseries.server.http.contract import Route
from photseries.server.http.credentials import Credential, credential_of, origin_of
from photseries.server.http.media import FORM, media_type_of, parse_form
from photseries.server.http.shared import SharedState
from photseries.server.principal import Requirement
from photseries.server.vo import examples, results, tap, uws, vosi

__all__ = ["MAX_FORM_SIZE", "TAP_ROUTES", "URLENCODED", "ProtocolHandler", "VOHandler"]

#: The media type of a form without files.
URLENCODED: Final = "application/x-www-form-urlencoded"
_XML: Final = "text/xml; charset=utf-8"
#: Maximum size of the parameters besides uploads [bytes].
MAX_FORM_SIZE: Final = 64 * 1024
_PIECE: Final = 256 * 1024
#: Longer results are spooled to disk [bytes].
_SHORT: Final = 8 * 1024 * 1024
_MAX_FIELDS: Final = 200
#: Maximum duration of WAIT [s], and the polling intervals.
_MAX_WAIT: Final = 60.0
_PAUSES: Final = (0.05, 1.0)


@dataclasses.dataclass(frozen=True)
class _Arguments:
    """The parameters of a request, with names in capitals, and the files of a form."""

    texts: Mapping[str, list[str]]
    files: Mapping[str, bytes]

    @property
    def last(self) -> dict[str, str]:
        """The parameters with one value each."""
        return {name: texts[-1] for name, texts in self.texts.items()}


class ProtocolHandler(BaseHandler):
    """The base of queries by GET or, with a form, by POST; a 401 lists the authentication schemes."""

    needs: ClassVar[Mapping[str, Requirement | None]] = {"GET": ANY, "POST": ANY}
    reads: ClassVar[Sequence[str]] = ("GET", "HEAD", "POST")

    def given_credential(self) -> Credential:
        """Return the credential of the request; a POST may be anonymous, because it does not change the archive."""
        return credential_of(self.request, self.services.config, public=True)

    @property
    def origin(self) -> str:
        """The URL of the service."""
        return origin_of(self.request, self.services.config.server)

    def _challenges(self) -> str:
        bearer = f'ivoa_bearer standard_id="ivo://ivoa.net/sso#BasicAA", access_url="{self.origin}/vo/login"'
        return f"{super()._challenges()}, {bearer}"


class VOHandler(ProtocolHandler):
    """The base of handlers of the Virtual Observatory: forms, and errors as VOTables."""

    takes_files: ClassVar[bool] = True

    @property
    def max_body_length(self) -> int:
        """The maximum length of a form [bytes]."""
        settings = self.services.config.vo
        return settings.upload + settings.query + MAX_FORM_SIZE

    def error_body(self, error: PhotseriesError) -> bytes:
        """Send an error as a VOTable."""
        self.set_header("Content-Type", "application/x-votable+xml")
        return results.error_document(error.message)

    def given(self) -> _Arguments:
        """Return the parameters of the query and of the form; call it in a thread.

        Raises
        ------
        InvalidError, UnsupportedMediaTypeError
        """
        if self.caller.principal is not None and not self.caller.principal.is_anonymous:
            self.name_user()
        texts_by_name: dict[str, list[str]] = {}
        files: dict[str, bytes] = {}
        pairs: dict[str, list[str]] = {}
        with self._body.content() as content:
            kind = media_type_of(self.request.headers)
            if kind == FORM:
                pairs, files = _parts(self.request.headers["Content-Type"], content)
            elif content and kind != URLENCODED:
                raise UnsupportedMediaTypeError(
                    f"Send parameters in the query, or in a body of type {URLENCODED} or {FORM}."
                )
            elif content:
                try:
                    text = content.decode("utf-8", "replace")
                    pairs = parse_qs(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
                except ValueError:
                    raise InvalidError(f"The form has more than {_MAX_FIELDS} parameters.") from None
        for source in (self.arguments(), pairs):
            for name, texts in source.items():
                texts_by_name.setdefault(name.upper(), []).extend(texts)
        return _Arguments(texts_by_name, files)

    def name_user(self) -> None:
        """Name the user in a header (SSO 2.0), with ? for characters that headers cannot contain."""
        self.set_header("X-VO-Authenticated", re.sub(r"[^ -~]", "?", self.principal.username))

    def uploads(self, arguments: _Arguments) -> dict[str, bytes]:
        """Return the uploaded tables of a request; URLs are fetched only with a token, by heavy requests."""
        fetches = not self.principal.is_anonymous
        texts = arguments.texts.get("UPLOAD", ())
        self.weigh(any("://" in text for text in texts))
        return tap.uploads_of(texts, arguments.files, self.services.config.vo, fetches=fetches)

    def context(self, timeout: float) -> Context:
        """Return the principal and the time limit of a query."""
        settings = self.services.config.vo
        did = f"ivo://{settings.authority}/photseries"
        return Context(self.principal, settings.database_role, self.origin, did, timeout, settings.temporary)

    async def send_text(self, make: Callable[[], str], media_type: str = _XML) -> None:
        """Send a document that a function creates in a thread."""
        content = await self.run(lambda: make().encode())
        self.set_header("Content-Type", media_type)
        await self.send([content])


def _parts(content_type: str, content: bytes) -> tuple[dict[str, list[str]], dict[str, bytes]]:
    """Parse a form with files."""
    texts, files = parse_form(content_type, content)
    if len(texts) + len(files) > _MAX_FIELDS:
        raise InvalidError(f"The form has more than {_MAX_FIELDS} parts.")
    plain = {name: [value.decode("utf-8", "replace") for value in values] for name, values in texts.items()}
    # A part without a file name can be a table too.
    return plain, {name: values[-1] for name, values in (texts | files).items()}


class SyncHandler(VOHandler):
    """Synchronous queries."""

    async def get(self) -> None:
        """Run a query in ADQL; its result has the format that RESPONSEFORMAT names."""
        media_type, file = await self.run(self._result, heavy=True)
        self.set_header("Content-Type", media_type)
        with file:
            length = file.seek(0, 2)
            file.seek(0)
            if length <= _PIECE:
                await self.send([file.read()])
            else:
                await self.stream(iter(lambda: file.read(_PIECE), b""))

    post = get

    def _result(self) -> tuple[str, IO[bytes]]:
        self.weigh()
        settings, arguments = self.services.config.vo, self.given()
        request = tap.parse_request(arguments.last, self.uploads(arguments), settings)
        pieces = tap.execute(self.services.catalogue, self.context(settings.timeout), request, settings)
        with space_for("the result"), contextlib.ExitStack() as stack:
            file = stack.enter_context(tempfile.SpooledTemporaryFile(_SHORT, dir=str(self.shared.spool.folder)))
            for piece in pieces:
                file.write(piece)
            file.flush()
            stack.pop_all()
        return request.form.media_type, file


def _number_of(network: str) -> int:
    """Return the number that stands for a network in the database [1 to 2^31 - 1]."""
    return (int.from_bytes(hashlib.sha256(network.encode()).digest()[:4]) >> 1) or 1


class JobsHandler(VOHandler):
    """The job list of a client."""

    reads: ClassVar[Sequence[str]] = ("GET", "HEAD")

    def initialize(self, shared: SharedState) -> None:
        """Keep the event loop, for threads."""
        super().initialize(shared)
        self.loop = asyncio.get_running_loop()

    async def get(self) -> None:
        """List the jobs, filtered by PHASE, AFTER and LAST."""
        url = f"{self.origin}/vo/tap/async"
        await self.send_text(lambda: uws.list_document(self.jobs.find(self.principal), url, self.given().texts))

    async def post(self) -> None:
        """Create a job; PHASE=RUN also starts it."""

        def create() -> str:
            arguments = self.given()
            runs = arguments.last.get("PHASE", "").upper() == "RUN"
            if runs:
                self._require_place()
            uploads = self.uploads(arguments)
            job_id = self.jobs.create(self.principal, arguments.last, uploads, _number_of(self.caller.network))
            if runs:
                self.queue(job_id)
            return job_id

        self.see_other(await self.run(create))

    @property
    def jobs(self) -> uws.Jobs:
        """The use cases of jobs."""
        return uws.Jobs(self.services.catalogue, self.services.config.vo)

    def see_other(self, job_id: str = "") -> None:
        """Redirect the client to a job, or to the list of jobs."""
        self.set_status(303)
        self.set_header("Location", f"{self.origin}/vo/tap/async{'/' + job_id if job_id else ''}")
        self.clear_header("Content-Type")
        self.finish()

    def queue(self, job_id: str) -> None:
        """Queue a pending job; call it in a thread.

        Raises
        ------
        BusyError
            When too many jobs of this user already wait.
        """
        self._require_place()
        self.jobs.queue(self.principal, job_id)
        self.submit(self.jobs.get(self.principal, job_id))

    def submit(self, job: Job) -> None:
        """Let a queued job wait for its turn in this process, once; call it in a thread."""
        shared, jobs, user, credential = self.shared, self.jobs, self.caller.key, self.caller.credential
        context = self.context(job.duration)

        def current_context() -> Context:
            if credential is None:
                return context
            return dataclasses.replace(context, principal=credential.principal(shared.services.accounts))

        async def execute() -> None:
            try:
                async with shared.job_turns.place(user):
                    shared.running_jobs.add(job.id)
                    if not shared.stopping:
                        await shared.jobs.call(jobs.execute, job, current_context)
            except BusyError:
                return  # the job stays queued until its user looks at it

        def forget(_: asyncio.Task[None]) -> None:
            del shared.queued_jobs[job.id]
            shared.running_jobs.discard(job.id)

        def start() -> None:
            if job.id not in shared.queued_jobs:
                shared.queued_jobs[job.id] = task = self.loop.create_task(execute())
                task.add_done_callback(forget)  # a task that is cancelled before it begins has no finally

        self.loop.call_soon_threadsafe(start)

    def _require_place(self) -> None:
        """Refuse a job that could not wait; jobs that another process aborted or deleted do not count."""
        try:
            self.shared.job_turns.check(self.caller.key)
        except BusyError:
            waiting = set(self.shared.queued_jobs) - self.shared.running_jobs
            self.leave(waiting - self.jobs.queued(waiting))
            self.shared.job_turns.check(self.caller.key)

    def leave(self, job_ids: Iterable[str]) -> None:
        """Cancel the wait of aborted or deleted jobs for their turns; call it in a thread."""

        async def cancel() -> None:
            for job_id in job_ids:
                if job_id not in self.shared.running_jobs and (task := self.shared.queued_jobs.get(job_id)):
                    task.cancel()
                    await asyncio.wait([task])

        asyncio.run_coroutine_threadsafe(cancel(), self.loop).result()


class JobHandler(JobsHandler):
    """A job and its parts."""

    needs: ClassVar[Mapping[str, Requirement | None]] = {"GET": ANY, "POST": ANY, "DELETE": ANY}

    async def get(self, job_id: str, part: str = "") -> None:  # type: ignore[override]
        """Return a job, or a part of it; with WAIT and PHASE, after the job has changed."""
        job = await self.run(lambda: self._job(job_id))
        if part == "results/result":
            self.set_header("Content-Type", job.media_type or "application/octet-stream")
            await self.stream(self.jobs.result(job), heavy=False)
        elif part == "error" and job.phase == "ERROR":
            content = results.error_document(job.error or "unknown")
            self.set_header("Content-Type", "application/x-votable+xml")
            await self.send([content])
        elif part in _DOCUMENTS:
            if not part:
                job = await self._wait(job)
            media_type, write = _DOCUMENTS[part]
            await self.send_text(
                lambda: write(job, f"{self.origin}/vo/tap/async/{job.id}", self.principal.username), media_type
            )
        else:
            raise NotFoundError(f"A job has no {part[:40]!r}.")

    async def post(self, job_id: str, part: str = "") -> None:  # type: ignore[override]
        """Run, abort or delete a job, or set its parameters, execution duration or destruction."""

        def change() -> bool:
            arguments = self.given()
            last, phase = arguments.last, arguments.last.get("PHASE", "").upper()
            if last.get("ACTION", "").upper() == "DELETE":
                self.remove(job_id)
                return True
            if phase not in ("", "RUN", "ABORT"):
                raise InvalidError(f"PHASE {phase[:40]!r} must be RUN or ABORT.")
            self.jobs.change(self.principal, job_id, last)
            if phase == "RUN":
                self.queue(job_id)
            elif phase == "ABORT":
                self.jobs.abort(self.principal, job_id)
                self.leave([job_id])
            return False

        self.see_other("" if await self.run(change) else job_id)

    async def delete(self, job_id: str, part: str = "") -> None:
        """Delete a job with its result."""
        await self.run(lambda: self.remove(job_id))
        self.see_other()

    def remove(self, job_id: str) -> None:
        """Abort a job and delete it with its result; call it in a thread."""
        self.jobs.remove(self.principal, job_id)
        self.leave([job_id])

    def _job(self, job_id: str) -> Job:
        job = self.jobs.get(self.principal, job_id)
        if job.phase == "QUEUED":
            self.submit(job)  # the process that queued the job may have ended
        return job

    async def _wait(self, job: Job) -> Job:
        """Wait until a job leaves its phase (WAIT of UWS 1.1)."""
        arguments = (await self.run(self.given)).last
        text = arguments.get("WAIT", "0").strip()
        if not text.removeprefix("-").isdecimal() or len(text) > 9:
            raise InvalidError(f"WAIT {text[:40]!r} must be a whole number of seconds.")
        wait = _MAX_WAIT if int(text) < 0 else min(float(text), _MAX_WAIT)
        phase = arguments.get("PHASE", job.phase)
        deadline, pause = time.monotonic() + wait, _PAUSES[0]
        look = functools.partial(self._job, job.id)
        while job.phase == phase and job.phase not in ENDED and (left := deadline - time.monotonic()) > 0:
            await asyncio.sleep(min(pause, left))
            pause = min(pause * 1.5, _PAUSES[1])
            if self.work.is_cancelled or self.shared.stopping:
                break
            job = await self.run(look)
        return job


#: The documents of a job: media type, and function of the job, its URL and the name of its owner.
_DOCUMENTS: Final[Mapping[str, tuple[str, Callable[[Job, str, str], str]]]] = {
    "": (_XML, uws.job_document),
    "phase": ("text/plain", lambda job, url, owner: job.phase),
    "executionduration": ("text/plain", lambda job, url, owner: str(round(job.duration))),
    "destruction": ("text/plain", lambda job, url, owner: uws.moment_text(job.destruction)),
    "quote": ("text/plain", lambda job, url, owner: ""),
    "owner": ("text/plain", lambda job, url, owner: owner if job.owner_id > 0 else ""),
    "error": ("text/plain", lambda job, url, owner: ""),
    "parameters": (_XML, lambda job, url, owner: uws.parameters_document(job)),
    "results": (_XML, lambda job, url, owner: uws.results_document(job, url)),
}


class _OpenHandler(VOHandler):
    """The base of public documents, which contain nothing about series."""

    needs: ClassVar[Mapping[str, Requirement | None]] = {"GET": None}


class CapabilitiesHandler(_OpenHandler):
    """The capabilities."""

    async def get(self) -> None:
        """Describe TAP."""
        url = f"{self.origin}/vo/tap"
        await self.send_text(lambda: vosi.capabilities(vosi.tap_capabilities(url, self.services.config.vo)))


class AvailabilityHandler(_OpenHandler):
    """The availability."""

    async def get(self) -> None:
        """Return whether queries can run."""
        await self.send_text(lambda: vosi.availability(self._refusal()))

    def _refusal(self) -> str | None:
        try:
            with self.services.catalogue.reading() as connection:
                vo_queries.require_role(connection, self.services.config.vo.database_role)
        except UnavailableError as error:
            return error.message
        return None


class TablesHandler(_OpenHandler):
    """The tables and their columns."""

    async def get(self, name: str | None = None) -> None:
        """List the tables, or describe one."""
        detail = self.arguments().get("detail", ["max"])[-1]
        await self.send_text(lambda: vosi.tableset(name, detail=detail))


class ExamplesHandler(_OpenHandler):
    """The examples of queries."""

    async def get(self) -> None:
        """Show the examples."""
        await self.send_text(lambda: examples.document(f"{self.origin}/vo/tap"), "application/xhtml+xml")


TAP_ROUTES: Final[tuple[Route, ...]] = (
    (r"/vo/tap/sync", SyncHandler, {}),
    (r"/vo/tap/async", JobsHandler, {}),
    (r"/vo/tap/async/([^/]+)", JobHandler, {}),
    (r"/vo/tap/async/([^/]+)/(.+)", JobHandler, {}),
    (r"/vo/tap/capabilities", CapabilitiesHandler, {}),
    (r"/vo/tap/availability", AvailabilityHandler, {}),
    (r"/vo/tap/tables", TablesHandler, {}),
    (r"/vo/tap/tables/(.+)", TablesHandler, {}),
    (r"/vo/tap/examples", ExamplesHandler, {}),
    (r"/vo/tap", CapabilitiesHandler, {}),
)
