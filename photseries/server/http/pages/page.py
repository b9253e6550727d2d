"""The base of all pages: the user, the security headers, and error pages."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlencode

import orjson
from tornado.template import Loader

from photseries import __version__
from photseries.errors import ForbiddenError, PhotseriesError, UnauthorizedError
from photseries.server.accounts import Accounts
from photseries.server.http.base import ANY, BaseHandler
from photseries.server.http.credentials import ANONYMOUS, Credential, cookie_name, csrf_token, is_https, session_of
from photseries.server.http.operation import NotFoundHandler
from photseries.server.http.pages.assets import address_of
from photseries.server.principal import Principal, Requirement

__all__ = ["NotFoundPageHandler", "PageHandler"]

_TEMPLATES = Loader(str(Path(__file__).parent / "templates"), autoescape="xhtml_escape")

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

#: Maximum number of entries of a registry on a page.
_MAX_LISTED = 500

# A form contains at most a token.
_MAX_FORM_SIZE = 16 * 1024


class PageHandler(BaseHandler):
    """A handler of pages for signed-in users; also for visitors if ``public`` and the settings allow it."""

    needs: ClassVar[Mapping[str, Requirement | None]] = {"GET": ANY}
    reads: ClassVar[Sequence[str]] = ()  # compressing secrets together with client text would reveal them (BREACH)
    cross_origin: ClassVar[bool] = False

    @property
    def max_body_length(self) -> int:
        """The maximum length of a body [bytes]."""
        return _MAX_FORM_SIZE

    def set_default_headers(self) -> None:
        """Set the headers of every page."""
        super().set_default_headers()
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.set_header("Content-Security-Policy", _POLICY)
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("Cross-Origin-Opener-Policy", "same-origin")

    @functools.cached_property
    def https(self) -> bool:
        """Whether the browser uses https."""
        return is_https(self.request, self.services.config.server)

    @functools.cached_property
    def session(self) -> str:
        """The secret of the session, empty when there is none."""
        return session_of(self.request, self.services.config.server)

    def given_credential(self) -> Credential:
        """Return the session, which suffices for viewing, or the anonymous credential for a public page.

        Raises
        ------
        UnauthorizedError
        """
        if self.session:
            return Credential(self.session, Accounts.recognize)
        if self.is_open:
            return ANONYMOUS
        raise UnauthorizedError("You are not signed in.")

    @property
    def is_open(self) -> bool:
        """Whether visitors may see this page."""
        return self.public and self.verb == "GET" and self.services.config.access.anonymous_reads_public

    @functools.cached_property
    def cut(self) -> dict[str, int]:
        """The number of entries of each registry that the page lists only in part."""
        return {}

    def listed(self, kind: str, principal: Principal | None = None) -> list[dict[str, Any]]:
        """Return the first entries of a registry that the user sees; the page states how many there are."""
        entries, total = self.services.accounts.find(principal or self.principal, kind, 1, _MAX_LISTED)
        if total > len(entries):
            self.cut[kind] = total
        return entries

    async def show(self, template: str, values: Callable[[], Mapping[str, object]]) -> None:
        """Send a page; a function called in a thread returns its values."""
        await self.send([await self.run(lambda: self.page(template, **values()))])

    def page(self, template: str, **values: object) -> bytes:
        """Render a template."""
        principal = self.caller.principal
        return _TEMPLATES.load(template).generate(
            address_of=address_of,
            cut=self.cut,
            csrf=csrf_token(self.session) if principal and self.session else "",
            here=self.request.path,
            max_listed=_MAX_LISTED,
            sign_in_path=_sign_in_path,
            site=self.services.config.pages,
            uri=self.request.uri or "/",
            json=lambda value: orjson.dumps(value).decode(),
            principal=principal,
            version=__version__,
            **values,
        )

    def form(self) -> dict[str, str]:
        """Parse the form in the body; call it in a thread."""
        with self._body.content() as content:
            fields = parse_qs(content.decode("utf-8", "replace"))
        return {name: values[-1] for name, values in fields.items()}

    def require_own_origin(self) -> None:
        """Refuse a form from another site, by the browser's headers.

        Raises
        ------
        ForbiddenError
        """
        headers = self.request.headers
        site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
        if site is None and origin is not None:
            site = "same-origin" if origin.partition("://")[2] == headers.get("Host") else "cross-site"
        if site not in ("same-origin", "none", None):
            raise ForbiddenError(
                "The form was sent from another site. Open the page of this service, and send it from there."
            )

    def keep_session(self, session: str, lifetime: float) -> None:
        """Set the session cookie with a lifetime [s]."""
        name, age = cookie_name(self.https), int(lifetime)
        self.set_cookie(name, session, max_age=age, httponly=True, secure=self.https, samesite="Lax")

    def forget_session(self) -> None:
        """Clear the session cookie."""
        self.clear_cookie(cookie_name(self.https), httponly=True, secure=self.https, samesite="Lax")

    def error_body(self, error: PhotseriesError) -> bytes:
        """Send the page about an error; redirect visitors who are not signed in to the sign-in page."""
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        if error.status != 401:
            return self.page("error.html", error=error)
        self.clear_header("WWW-Authenticate")
        self.set_status(303)
        if self.is_open and self.session:
            self.forget_session()
            self.set_header("Location", self.request.uri or "/")
            return b""
        self.set_header("Location", _sign_in_path(self.request.uri or "/", **({"ended": "1"} if self.session else {})))
        return b""


def _sign_in_path(following: str, **more: str) -> str:
    """Return the path of the sign-in page, which redirects to another page afterwards."""
    return f"/sign-in?{urlencode({'next': following, **more})}"


class NotFoundPageHandler(PageHandler, NotFoundHandler):
    """Every path without a route: a page for people, JSON for programs."""

    quick: ClassVar[bool] = True

    async def prepare(self) -> None:
        """Answer 404; the page for a signed-in user has the same navigation as all others."""
        if self.session:
            with suppress(PhotseriesError):  # also without a database
                self.caller.present(self.given_credential())
                await self.run(lambda: None)
        await super().prepare()

    def error_body(self, error: PhotseriesError) -> bytes:
        """Send the error in the format that the client accepts."""
        if "text/html" in self.request.headers.get("Accept", "") and not self.request.path.startswith("/api/"):
            return super().error_body(error)
        return BaseHandler.error_body(self, error)
