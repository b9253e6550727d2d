"""Sign in with a token, and sign out."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from photseries.errors import PhotseriesError
from photseries.server.http.credentials import require_csrf
from photseries.server.http.pages.page import PageHandler

__all__ = ["SignInHandler", "SignOutHandler"]


class SignInHandler(PageHandler):
    """The sign-in page, which exchanges a token for a session."""

    needs: ClassVar = {"GET": None, "POST": None}
    quick: ClassVar[bool] = True

    async def get(self) -> None:
        """Ask for a token."""
        if (once := self.get_query_argument("once", "")) and self.request.method == "GET":
            follow = self.services.accounts.follow_sign_in_link
            await self._begin_session(lambda: follow(once, self.lifetime), "/", once)
            return
        ended = self.get_query_argument("ended", "") == "1"
        message = "Your session has ended. Sign in again to continue." if ended else ""
        following = _local_path(self.get_query_argument("next", "/"))
        await self._ask(following, message, failed=False)

    async def post(self) -> None:
        """Begin a session for the owner of a token."""
        self.require_own_origin()
        form = await self.run(self.form)
        token, following = form.get("token", "").strip(), _local_path(form.get("next", "/"))

        def sign_in() -> str:
            return self.services.accounts.sign_in(token, self.lifetime)

        await self._begin_session(sign_in, following, token)

    async def _ask(self, following: str, message: str, *, failed: bool) -> None:
        """Ask for a token."""
        contact = self.services.config.pages.contact
        values = {
            "following": following,
            "said": message,
            "failed": failed,
            "is_public": self.services.config.access.anonymous_reads_public,
            "contact_path": contact
            if contact.startswith(("https://", "http://"))
            else f"mailto:{contact}" * ("@" in contact),
        }
        await self.show("sign_in.html", lambda: values)

    @property
    def lifetime(self) -> float:
        """The lifetime of a session [s]."""
        return self.services.config.server.session_lifetime

    async def _begin_session(self, sign_in: Callable[[], str], following: str, secret: str) -> None:
        """Begin the session whose secret a function (called in a thread) returns, or show why sign-in failed."""
        try:
            self.shared.throttle.check(self.caller.network, secret)
            session = await self.run(sign_in)
        except PhotseriesError as error:
            self.set_status(error.status)
            await self._ask(following, error.message, failed=True)
            return
        self.shared.throttle.record_success(secret)
        self.keep_session(session, self.lifetime)
        self.redirect(following, status=303)


class SignOutHandler(PageHandler):
    """Sign-out."""

    needs: ClassVar = {"POST": None}
    quick: ClassVar[bool] = True

    async def post(self) -> None:
        """End the session."""
        if self.session:
            form = await self.run(self.form)
            require_csrf(self.session, form.get("csrf", ""))
            await self.run(lambda: self.services.accounts.sign_out(self.session))
            self.forget_session()
        self.redirect("/sign-in", status=303)


def _local_path(path: str) -> str:
    """Return the path in an address, so that a redirect stays on this service."""
    return path if path.startswith("/") and path.isprintable() and not path.startswith(("//", "/\\")) else "/"
