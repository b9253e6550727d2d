"""Signing in with a token, and out."""

from __future__ import annotations

from typing import ClassVar

from photseries.errors import PhotseriesError
from photseries.server.http.credentials import require_csrf
from photseries.server.http.pages.page import PageHandler

__all__ = ["SignInHandler", "SignOutHandler"]


class SignInHandler(PageHandler):
    """Where a token is shown once, to begin a session."""

    needs: ClassVar = {"GET": None, "POST": None}
    quick: ClassVar[bool] = True

    async def get(self) -> None:
        """Ask for a token."""
        ended = self.get_query_argument("ended", "") == "1"
        said = "Your session has ended. Sign in again to continue." if ended else ""
        following = _own(self.get_query_argument("next", "/"))
        await self.show("sign_in.html", lambda: {"following": following, "said": said, "failed": False})

    async def post(self) -> None:
        """Begin a session for the owner of a token."""
        self.require_own_origin()
        form = await self.run(self.form)
        token, following = form.get("token", "").strip(), _own(form.get("next", "/"))
        lifetime = self.services.config.server.session_lifetime
        try:
            self.shared.throttle.check(self.address, token)
            session = await self.run(lambda: self.services.accounts.sign_in(token, lifetime))
        except PhotseriesError as error:
            self.set_status(error.status)
            said = error.message
            await self.show("sign_in.html", lambda: {"following": following, "said": said, "failed": True})
            return
        self.shared.throttle.succeeded(token)
        self.keep_session(session, lifetime)
        self.redirect(following, status=303)


class SignOutHandler(PageHandler):
    """The end of a session."""

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


def _own(path: str) -> str:
    """Return a path of this service, whatever an address contains."""
    return path if path.startswith("/") and path.isprintable() and not path.startswith(("//", "/\\")) else "/"
