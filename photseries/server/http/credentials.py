"""The credentials of a request: a token in a header, or a browser session in a cookie.

A browser sends its cookies with every request, even one that another site triggers. Therefore the cookie alone only
permits viewing pages; the API, and every change, also require a second secret, which only our own pages contain.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass

from tornado.httputil import HTTPServerRequest, parse_cookie

from photseries.errors import ForbiddenError, UnauthorizedError
from photseries.server.accounts import PREFIX_LENGTH, Accounts
from photseries.server.http.throttle import came_by_https
from photseries.server.principal import EVERYONE, Principal, anonymous
from photseries.server.settings import Config, ServerSettings

__all__ = [
    "ANONYMOUS",
    "BASIC",
    "BEARER",
    "Credential",
    "cookie_name",
    "credential_of",
    "csrf_token",
    "is_https",
    "origin_of",
    "require_csrf",
    "session_of",
]

#: The challenges of a 401.
BASIC = 'Basic realm="photseries: any name, the token as password", charset="UTF-8"'
BEARER = 'Bearer realm="photseries"'

#: The header with the CSRF token of the service's own pages.
CSRF_HEADER = "X-CSRF-Token"


@dataclass(frozen=True)
class Credential:
    """A secret in a request, and the function that resolves it to a principal."""

    secret: str
    recognize: Callable[[Accounts, str], Principal]

    def principal(self, accounts: Accounts) -> Principal:
        """Resolve the secret to a principal.

        Raises
        ------
        UnauthorizedError
        """
        return self.recognize(accounts, self.secret)

    @property
    def prefix(self) -> str:
        """The loggable part of a valid secret: the prefix of a token, nothing of a session."""
        return self.secret[:PREFIX_LENGTH] if self.recognize is Accounts.authenticate else "-"


#: The credential of anonymous readers, if the operator allows public reading.
ANONYMOUS = Credential("", lambda accounts, _: anonymous(accounts.id_of("groups", EVERYONE)))


def credential_of(request: HTTPServerRequest, config: Config, *, public: bool) -> Credential:
    """Return the credential of a request to the API: a token, or a session together with its CSRF token.

    Parameters
    ----------
    request : HTTPServerRequest
    config : Config
    public : bool
        Whether the request may be anonymous, if the operator allows it.

    Raises
    ------
    UnauthorizedError
        When there is none.
    ForbiddenError
        When there is a session without its CSRF token.
    """
    if "Authorization" not in request.headers:
        if session := session_of(request, config.server):
            require_csrf(session, request.headers.get(CSRF_HEADER, ""))
            return Credential(session, Accounts.recognize)
        if public and config.access.anonymous_reads_public:
            return ANONYMOUS
    scheme, _, secret = request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() == "basic":
        require_same_site(request, config.server)
        secret = _password(secret)
    if scheme.lower() not in ("token", "bearer", "basic") or not secret.strip():
        raise UnauthorizedError("A token is needed, in the header `Authorization: token XXX`.")
    return Credential(secret.strip(), Accounts.authenticate)


def _password(encoded: str) -> str:
    """Return the password in ``Authorization: Basic``, or an empty text if the header is malformed."""
    try:
        return b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def require_same_site(request: HTTPServerRequest, settings: ServerSettings) -> None:
    """Refuse cross-site changes, to which browsers add Basic credentials automatically.

    Raises
    ------
    ForbiddenError
    """
    headers = request.headers
    foreign = headers.get("Origin", origin_of(request, settings)) != origin_of(request, settings)
    if request.method not in ("GET", "HEAD") and (foreign or headers.get("Sec-Fetch-Site") == "cross-site"):
        raise ForbiddenError("Changes from pages of other sites need the header `Authorization: token XXX`, not Basic.")


def session_of(request: HTTPServerRequest, settings: ServerSettings) -> str:
    """Return the session secret of a request; empty without a session."""
    # The request's cookies property creates an object per cookie and takes ten times as long.
    cookies = parse_cookie(request.headers.get("Cookie", ""))
    return cookies.get(cookie_name(is_https(request, settings)), "")


def cookie_name(https: bool) -> str:
    """Return the name of the session cookie; with https it has the prefix that browsers bind to this host and https."""
    return "__Host-photseries" if https else "photseries"


def is_https(request: HTTPServerRequest, settings: ServerSettings) -> bool:
    """Return whether the browser uses https, possibly to a proxy."""
    return came_by_https(request.remote_ip or "", request.headers.get("X-Forwarded-Proto", ""), settings)


def origin_of(request: HTTPServerRequest, settings: ServerSettings) -> str:
    """Return the URL of the service as the client sees it."""
    return f"{'https' if is_https(request, settings) else 'http'}://{request.host}"


def csrf_token(session: str) -> str:
    """Return the CSRF token of a session, which reveals nothing about the session secret."""
    return hmac.new(session.encode("utf-8", "surrogateescape"), b"csrf", hashlib.sha256).hexdigest()


def require_csrf(session: str, token: str) -> None:
    """Refuse a request without the CSRF token of its session.

    Raises
    ------
    ForbiddenError
    """
    if not hmac.compare_digest(csrf_token(session).encode(), token.encode("utf-8", "surrogateescape")):
        raise ForbiddenError(
            f"This request has the cookie of a session without its {CSRF_HEADER}: it did not come from our pages. "
            "Programs use a token, in the header `Authorization: token XXX`."
        )
