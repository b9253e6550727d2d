"""The caller of a request: its address, its credential, and the user to whom the credential belongs."""

from __future__ import annotations

from photseries.errors import ForbiddenError
from photseries.server.accounts import Accounts
from photseries.server.http.credentials import Credential
from photseries.server.http.throttle import Throttle, network_of
from photseries.server.principal import Principal, Requirement

__all__ = ["Caller"]


class Caller:
    """Who sends a request.

    Parameters
    ----------
    address : str
        Of the client, behind proxies that are trusted.
    throttle : Throttle
    """

    def __init__(self, address: str, throttle: Throttle) -> None:
        self.address = address
        #: What counts as one client without a token; see :func:`photseries.server.http.throttle.network_of`.
        self.network = network_of(address)
        self.credential: Credential | None = None
        #: The user, once the credential was looked up.
        self.principal: Principal | None = None
        #: What the log may contain of the credential.
        self.prefix = "-"
        self._throttle = throttle
        self._known_user = 0

    @property
    def key(self) -> str:
        """The user or the network to which the threads and memory of a request are charged.

        Before a token is looked up, its last known user is charged. Without a token, and for the first request of a
        token, the network is charged, so that no visitor can use up the share of all.
        """
        user_id = self._known_user if self.principal is None else self.principal.user_id
        return f"user {user_id}" if user_id else self.network

    @property
    def name(self) -> str:
        """The name of the user, for the log."""
        return "-" if self.principal is None else self.principal.username

    def present(self, credential: Credential) -> None:
        """Take the credential of the request.

        Raises
        ------
        TooManyRequestsError
            When this address has sent too many invalid ones.
        """
        self.credential = credential
        if credential.secret:
            self._throttle.check(self.network, credential.secret)
        self._known_user = self._throttle.user_of(credential.secret)

    def look_up(self, accounts: Accounts, requirement: Requirement | None) -> None:
        """Find the user of the credential, who must meet a requirement; call it in a thread.

        Raises
        ------
        UnauthorizedError, ForbiddenError
        """
        if self.credential is None:
            return
        self.principal = self.credential.principal(accounts)
        self.prefix = self.credential.prefix
        if requirement is not None:
            requirement.check(self.principal)

    def check_rights(self, accounts: Accounts) -> None:
        """Refuse to continue when the user has lost a permission or a membership since :meth:`look_up`; for threads.

        Raises
        ------
        UnauthorizedError
            When the token or session has ended.
        ForbiddenError
            When the user has lost a permission, a group or a stream.
        """
        if self.credential is None or self.principal is None:
            return
        before, now = self.principal, self.credential.principal(accounts)
        if not (
            before.permissions <= now.permissions
            and before.group_ids <= now.group_ids
            and before.stream_ids <= now.stream_ids
        ):
            raise ForbiddenError("You lost a permission, a group or a stream during this request. Send it again.")

    def remember(self) -> None:
        """Remember the credential, and whether it is valid, for later requests."""
        if self.credential is not None and self.principal is not None:
            self._throttle.record_success(self.credential.secret, self.principal.user_id)

    def count_failure(self) -> None:
        """Count a credential that was not valid."""
        self._throttle.record_failure(self.network)
