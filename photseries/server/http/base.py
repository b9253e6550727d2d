"""The base of all handlers: credentials, body, and the one place that turns errors into answers.

A request is admitted or refused before its body is read, by token, permission, media type and length in the headers.
Work, including JSON encoding, runs in thread pools, so that the event loop only moves bytes.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import ClassVar, TypeVar

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, OutputTransform, RequestHandler, stream_request_body

from photseries.errors import PhotseriesError, TooLargeError, UnavailableError
from photseries.formats import json_columns
from photseries.server.http.answers import failure, headers_of, presentable, success
from photseries.server.http.caller import Caller
from photseries.server.http.credentials import BASIC, BEARER, Credential, credential_of, session_of
from photseries.server.http.encoding import MIN_COMPRESSED_BYTES, choose_encoding, compressor, is_compressible
from photseries.server.http.media import check_media, content_length, texts_of
from photseries.server.http.sending import disconnect
from photseries.server.http.shared import SharedState
from photseries.server.http.spool import Body
from photseries.server.http.throttle import client_address
from photseries.server.http.work import Work
from photseries.server.principal import ANY_TOKEN, Principal, Requirement
from photseries.text import one_line

__all__ = ["ANY", "MAX_PLAIN_BYTES", "BaseHandler"]

log = logging.getLogger(__name__)

#: The valid request ids of clients.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

T = TypeVar("T")

#: A valid token with any permissions.
ANY = ANY_TOKEN

#: Minimum length of an answer that is compressed in a thread and sent in pieces [bytes].
LONG_ANSWER = 64 * 1024

#: The headers of every answer, unless a handler replaces them.
_HEADERS = {
    "Server": "photseries",
    "Content-Type": "application/json; charset=UTF-8",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

#: The CORS headers for sites in ``server.cors_origins``.
_CORS = {
    "Access-Control-Allow-Headers": "Authorization, Content-Encoding, Content-Type, If-Match, If-None-Match, Range",
    "Access-Control-Expose-Headers": "Content-Disposition, Content-Range, ETag, Repr-Digest, Retry-After, X-Request-Id",
    "Access-Control-Max-Age": "600",
}

#: Maximum length of a body without a table [bytes].
MAX_PLAIN_BYTES = 4 * 1024 * 1024


@stream_request_body
class BaseHandler(RequestHandler):
    """The base class of handlers.

    Attributes
    ----------
    needs : mapping of str to Requirement or None
        The requirement of each method, checked before the work; None: no token.
    takes_files : bool
        Whether a body may be something other than plain JSON.
    media_types : sequence of str
        The accepted types of a body that is never JSON.
    takes_any_file : bool
        Whether a body is a file of any type.
    public : bool
        Whether GET may be anonymous.
    reads : sequence of str
        The methods that change nothing, whose answers may be compressed.
    cross_origin : bool
        Whether scripts of the sites in ``server.cors_origins`` may read answers.
    quick : bool
        Whether the work waits neither for tables nor for queries, and runs in separate threads.
    """

    needs: ClassVar[Mapping[str, Requirement | None]] = {}
    takes_files: ClassVar[bool] = False
    media_types: ClassVar[Sequence[str]] = ()
    takes_any_file: ClassVar[bool] = False
    public: ClassVar[bool] = False
    reads: ClassVar[Sequence[str]] = ("GET", "HEAD")
    cross_origin: ClassVar[bool] = True
    quick: ClassVar[bool] = False

    def initialize(self, shared: SharedState) -> None:
        """Receive the shared state; Tornado calls this first."""
        self.shared = shared
        self.services = shared.services
        self._started = time.monotonic()
        self._received = 0
        self._sent = 0
        address = client_address(
            self.request.remote_ip or "",
            ",".join(self.request.headers.get_list("X-Forwarded-For")),
            self.services.config.server,
        )
        self.caller = Caller(address, shared.throttle)
        self._body = Body(shared.spool, lambda: self.caller.key)
        self.work = Work(
            shared, self.caller, self.needs.get(self.verb), quick=self.quick, harmless=self.request.method in self.reads
        )
        shared.in_flight.add(self)

    @property
    def principal(self) -> Principal:
        """The user of the request, known from the first call of :meth:`run`."""
        if self.caller.principal is None:
            raise RuntimeError("The user of a request is known from its first call of run.")
        return self.caller.principal

    @property
    def max_body_length(self) -> int:
        """The maximum length of a body [bytes], lower for a body without a table."""
        limit = self.services.config.server.max_body
        return limit if self.takes_files else min(limit, MAX_PLAIN_BYTES)

    @functools.cached_property
    def request_id(self) -> str:
        """The id of the request in answers and in the log: the client's if valid, else a new one."""
        header = self.request.headers.get("X-Request-Id", "")
        return header if _REQUEST_ID.fullmatch(header) else secrets.token_hex(16)

    def set_default_headers(self) -> None:
        """Set the headers of every answer."""
        self.set_header("X-Request-Id", self.request_id)
        self._headers.update(_HEADERS)
        origins = self.settings["cors_origins"] if self.cross_origin else ()
        if origins:
            self.set_header("Vary", "Origin")
        origin = self.request.headers.get("Origin")
        if origin is not None and not {origin, "*"}.isdisjoint(origins):
            self.set_header("Access-Control-Allow-Origin", origin)
            self.set_header("Access-Control-Allow-Methods", ", ".join(self.allowed_methods))
            for name, value in _CORS.items():
                self.set_header(name, value)

    def compute_etag(self) -> str | None:
        """Disable Tornado's own ETag, a hash of the whole answer."""
        return None

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """Decode a part of the path, or an argument; invalid UTF-8 matches nothing."""
        return value.decode("utf-8", "replace")

    @functools.cached_property
    def verb(self) -> str:
        """The method of the request; HEAD counts as GET."""
        method = self.request.method or ""
        return "GET" if method == "HEAD" else method

    @property
    def allowed_methods(self) -> list[str]:
        """The methods of this path."""
        return [*self.needs, *(["HEAD"] if "GET" in self.needs else []), "OPTIONS"]

    async def head(self, *path: str) -> None:
        """Answer like GET; Tornado omits the content."""
        await self.get(*path)  # type: ignore[misc]

    def options(self, *path: str) -> None:
        """Return the methods of this path; CORS headers are part of every answer."""
        self.set_header("Allow", ", ".join(self.allowed_methods))
        self.clear_header("Content-Type")
        self.set_status(204)
        self.finish()

    async def prepare(self) -> None:
        """Admit the request by its headers alone, or raise the error."""
        if self.verb == "OPTIONS":
            self.options()  # before the body, which would take room without a token
            return
        if self.verb in self.SUPPORTED_METHODS and self.verb not in self.needs:
            raise HTTPError(405)
        if self.needs.get(self.verb) is not None:
            self.caller.present(self.given_credential())
        if not self._has_body():
            return
        if self.caller.credential is not None:
            await self.run(lambda: None)
        check_media(
            self.request.headers, takes_files=self.takes_files, only=self.media_types, any_file=self.takes_any_file
        )
        length = content_length(self.request.headers)
        if length > self.max_body_length:
            raise self._too_large()
        self._body.expect(length)

    def given_credential(self) -> Credential:
        """Return the credential of the request; see :func:`photseries.server.http.credentials.credential_of`."""
        return credential_of(self.request, self.services.config, public=self.public and self.verb == "GET")

    def _has_body(self) -> bool:
        headers = self.request.headers
        return "Transfer-Encoding" in headers or headers.get("Content-Length", "0") != "0"

    def _too_large(self) -> TooLargeError:
        return TooLargeError(f"The body is larger than the limit of {self.max_body_length} bytes.")

    async def data_received(self, chunk: bytes) -> None:
        """Receive a part of the body; Tornado calls this after prepare."""
        self._received += len(chunk)
        try:
            if self._received > self.max_body_length:
                raise self._too_large()
            if self._body.goes_to_disk(len(chunk)):
                await self.work.in_thread(lambda: self._body.write(chunk))
            else:
                self._body.write(chunk)
        except PhotseriesError as error:
            reason = (type(error), error, error.__traceback__)
            self.log_exception(*reason)
            self.send_error(error.status, exc_info=reason)

    def json_body(self) -> dict[str, object]:
        """Parse the body, which must be a JSON object; call it in a thread.

        Raises
        ------
        InvalidError
        """
        with self._body.content() as content:
            return json_columns.parse(content, self.services.config.limits)

    def arguments(self) -> dict[str, list[str]]:
        """Return the query arguments as text."""
        return texts_of(self.request.query_arguments)

    async def run(self, function: Callable[[], T], *, heavy: bool = False, repeats: bool = True) -> T:
        """Call a function in a thread; see :meth:`photseries.server.http.work.Work.run`."""
        return await self.work.run(function, heavy=heavy, repeats=repeats)

    def weigh(self, is_heavy: bool = True) -> None:
        """Hold a heavy request for its turn; see :meth:`photseries.server.http.work.Work.weigh`."""
        self.work.weigh(is_heavy)

    async def _execute(self, transforms: list[OutputTransform], *path: bytes, **named: bytes) -> None:
        """Handle the request, and release its place among heavy requests in any case; Tornado calls this."""
        try:
            await super()._execute(transforms, *path, **named)
        finally:
            await self.work.close()

    async def reply(self, function: Callable[[], object], *, heavy: bool = False) -> None:
        """Call a function in a thread and send its result in the success envelope."""
        await self.send([await self.run(lambda: success(function()), heavy=heavy)])

    async def send(self, pieces: Sequence[bytes]) -> None:
        """Send a complete answer, compressed if the client accepts that, and finish.

        Parameters
        ----------
        pieces : sequence of bytes
            The answer in pieces, which avoids a copy of a long one.

        Raises
        ------
        UnavailableError
            When unread answers of this client exhaust the budget.
        """
        length = sum(map(len, pieces))
        encoding = self._encoding()
        if encoding is not None and length > MIN_COMPRESSED_BYTES:
            self._set_encoding(encoding)
            packed = compressor(encoding)

            def compress() -> list[bytes]:
                return [*map(packed.compress, pieces), packed.flush()]

            pieces = compress() if length <= LONG_ANSWER else await self.work.in_thread(compress, heavy=True)
            length = sum(map(len, pieces))
        if self._should_not_send_content(self.get_status()):
            self.finish()
        elif length <= LONG_ANSWER:
            self.finish(b"".join(pieces))
        else:
            with self.shared.outbox.held(self, self.caller.key, length) as answer:
                self.set_header("Content-Length", length)
                if self.request.method != "HEAD":
                    await self.shared.outbox.send(answer, pieces)
            self.finish()

    async def stream(self, pieces: Iterator[bytes], *, heavy: bool = True) -> None:
        """Stream an answer: compute each piece when the client has read the one before.

        An error before the first piece gets its own answer. After it no error can be sent, and a regular
        end would make the partial answer look complete. The connection is closed instead, which every client reports
        as an error.

        Parameters
        ----------
        pieces : iterator of bytes
            Each is a bounded piece of work for a thread; an empty one means that more will follow.
        heavy : bool
            Whether the work uses tables.
        """
        encoding = self._encoding()
        packed = None if encoding is None else compressor(encoding)

        def following() -> bytes | None:
            piece = next(pieces, None)
            return piece if piece is None or packed is None else packed.compress(piece)

        begun = False
        try:
            with self.shared.outbox.held(self, self.caller.key, 0) as answer:
                while (piece := await self.run(following, heavy=heavy, repeats=False)) is not None:
                    if encoding is not None and not begun:
                        self._set_encoding(encoding)
                    if self.request.method == "HEAD":
                        await self.flush()  # otherwise Tornado would set Content-Length
                        break
                    begun = begun or packed is not None or bool(piece)
                    answer.length = len(piece)
                    await self.shared.outbox.send(answer, [piece] if piece else [])
        except Exception:
            if begun:
                disconnect(self)
            raise
        self.finish(packed.flush() if packed is not None and begun else None)

    def _encoding(self) -> str | None:
        """Return the encoding of this answer, if any, and add Accept-Encoding to Vary."""
        fixed = "Content-Encoding" in self._headers or "Content-Range" in self._headers
        if self.request.method not in self.reads or fixed or not is_compressible(self._headers["Content-Type"]):
            return None
        self.vary_by("Accept-Encoding")
        return choose_encoding(self.request.headers) if self.get_status() == 200 else None

    def _set_encoding(self, encoding: str) -> None:
        self.set_header("Content-Encoding", encoding)
        if tag := self._headers.get("ETag"):
            self.set_header("ETag", f'{tag[:-1]}+{encoding}"')

    def vary_by(self, *names: str) -> None:
        """Add headers of the request on which the answer depends to Vary."""
        present = [name for name in self._headers.get("Vary", "").split(", ") if name]
        self.set_header("Vary", ", ".join(dict.fromkeys((*present, *names))))

    def write(self, chunk: str | bytes | dict[str, object]) -> None:
        """Count the written bytes, and send them."""
        self._sent += len(chunk)
        super().write(chunk)

    def _logged_query(self) -> str:
        """Return the query for the log; of unknown parameters, only the names."""
        contract = getattr(getattr(self, self.verb.lower(), None), "contract", None)
        names = {parameter.name for parameter in contract.query} if contract else set()
        return "&".join(
            f"{name}={text if name in names else '...'}"
            for name, texts in texts_of(self.request.query_arguments).items()
            for text in texts
        )

    def flush(self, include_footers: bool = False) -> asyncio.Future[None]:
        """Send the written data; while the service stops, close the connection after it."""
        if self.shared.stopping:
            self.set_header("Connection", "close")
        return super().flush(include_footers)

    def finish(self, chunk: str | bytes | dict[str, object] | None = None) -> asyncio.Future[None]:
        """Finish the answer; disconnect a client that does not read it in time."""
        flushed = super().finish(chunk)
        if not flushed.done():
            self.shared.outbox.watch(self, flushed)
        return flushed

    def write_error(self, status_code: int, **kwargs: object) -> None:
        """Send the error body for any exception; nothing else creates error bodies. Tornado calls this."""
        reason = kwargs.get("exc_info")
        error = presentable(reason[1] if isinstance(reason, tuple) else None, self.request_id)
        self.shared.metrics.count_error(error.code)
        self.set_status(error.status)
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        for name, value in headers_of(error, self.allowed_methods, self._challenges()).items():
            self.set_header(name, value)
        self.finish(self.error_body(error))

    def _challenges(self) -> str:
        """Return the challenges of a 401: not Basic for our own pages, where the browser would open its dialog."""
        headers = self.request.headers
        in_page = headers.get("Sec-Fetch-Mode") in ("cors", "same-origin")
        return BEARER if in_page or session_of(self.request, self.services.config.server) else f"{BASIC}, {BEARER}"

    def error_body(self, error: PhotseriesError) -> bytes:
        """Write the error for the client."""
        return failure(error)

    def log_exception(
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Log an unexpected exception with its traceback, and the reason for an unavailable part."""
        if isinstance(value, HTTPError | StreamClosedError):
            return
        if isinstance(value, PhotseriesError):
            if value.status >= 500:
                reason = getattr(value.__cause__, "orig", value.__cause__)  # the message without the statement
                expected = isinstance(value, UnavailableError)
                because = "" if reason is None else f" ({reason})"
                log.warning("%s: %s%s", self.request_id, value, because, exc_info=None if expected else reason)
            return
        log.error("%s: unexpected", self.request_id, exc_info=value)

    def on_connection_close(self) -> None:
        """Forget a request whose client has gone; Tornado calls on_finish only for answers that were sent."""
        super().on_connection_close()  # the method of the verb waits no longer for the body
        self.work.cancel()
        self._body.close()
        self.shared.in_flight.discard(self)

    def on_finish(self) -> None:
        """Count and log the request; Tornado calls this last."""
        self._body.close()
        self.shared.in_flight.discard(self)
        seconds = time.monotonic() - self._started
        route, verb = type(self).__name__.removesuffix("Handler"), self.request.method
        if verb not in self.SUPPORTED_METHODS:
            verb = "other"  # which may be any text of any length
        self.shared.metrics.count_answer(route, verb, self.get_status(), seconds, self._received)
        fields = {
            "id": self.request_id,
            "method": verb,
            "path": one_line(self.request.path),
            "query": one_line(self._logged_query()) or "-",
            "status": self.get_status(),
            "seconds": round(seconds, 4),
            "received": self._received,
            "sent": 0 if self.request.method == "HEAD" else self._sent,
            "user": one_line(self.caller.name),
            "token": self.caller.prefix,
            "client": self.caller.address,
        }
        line = " ".join([f"{name}={value}" for name, value in fields.items()])
        log.info("request %s", line, extra={"fields": fields})
