"""The handlers for operators: liveness, readiness, allowed values."""

from __future__ import annotations

import hashlib
import ipaddress
from typing import ClassVar, Final

from photseries import parameters
from photseries.errors import NotFoundError, UnauthorizedError, UnavailableError
from photseries.fields import ENUMERATIONS
from photseries.parameters import Parameter
from photseries.parameters.value_types import choice
from photseries.server.accounts import OPERATOR, RESOURCES, Accounts
from photseries.server.http.answers import success
from photseries.server.http.base import ANY, BaseHandler
from photseries.server.http.contract import Contract, Raw
from photseries.server.http.credentials import Credential
from photseries.server.http.readiness import PURPOSES
from photseries.server.principal import ADMIN, PERMISSIONS, Grant, Principal, Requirement
from photseries.text import suggestion

__all__ = [
    "EnumTypesHandler",
    "LivenessHandler",
    "MetricsHandler",
    "NotFoundHandler",
    "ReadyHandler",
    "UsageHandler",
    "WhoAmIHandler",
]

#: The headers that proxies add to forwarded requests.
FORWARDING: Final = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP")

#: The parameters of /readyz.
READY: tuple[Parameter, ...] = (
    Parameter(
        name="for", kind=choice(*PURPOSES), sentence="Check only the parts that reading or writing requests need."
    ),
)


class LivenessHandler(BaseHandler):
    """Liveness."""

    needs: ClassVar = {"GET": None}

    @Contract(gives="Alive")
    async def get(self) -> None:
        """Check that the process answers."""
        await self.send([success({"alive": True})])  # in the event loop, so that it works while all threads are busy


class ReadyHandler(BaseHandler):
    """Readiness."""

    needs: ClassVar = {"GET": None}

    @Contract(query=READY, gives="Ready", fails=(UnavailableError,))
    async def get(self) -> None:
        """Check all parts of the service; 503 names those that fail."""
        await self.reply(self._parts)

    def _parts(self) -> dict[str, object]:
        services = self.services
        purpose = parameters.read(self.arguments(), READY).get("for")
        self.shared.readiness.require(PURPOSES if purpose is None else (purpose,))
        behind = services.upkeep.number_behind()
        return {"ready": True, "sandbox": {"missing": services.sandbox.missing}, "statistics": {"behind": behind}}


class MetricsHandler(BaseHandler):
    """The metrics."""

    needs: ClassVar = {"GET": Requirement((Grant(ADMIN),))}

    def given_credential(self) -> Credential:
        """Admit local clients, and others with a token, which if recently valid works without the database."""
        local = ipaddress.ip_address(self.request.remote_ip or "::").is_loopback
        if local and not any(name in self.request.headers for name in FORWARDING):
            return Credential("", lambda *_: OPERATOR)
        credential = super().given_credential()
        digest = hashlib.sha256(credential.secret.encode("utf-8", "surrogateescape")).digest()

        def recognize(accounts: Accounts, secret: str) -> Principal:
            try:
                principal = credential.recognize(accounts, secret)
            except UnavailableError:
                if digest in self.shared.scrapers:
                    return OPERATOR
                raise
            except UnauthorizedError:
                self.shared.scrapers.discard(digest)
                raise
            if principal.is_admin:
                self.shared.scrapers.add(digest)
            return principal

        return Credential(credential.secret, recognize)

    @Contract(gives=Raw(("text/plain",)))
    async def get(self) -> None:
        """Return the metrics in Prometheus format; a client on the service's machine needs no token."""
        content = await self.run(self.shared.metrics.text)
        self.set_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        await self.send([content])


class WhoAmIHandler(BaseHandler):
    """The principal of the token."""

    needs: ClassVar = {"GET": ANY}

    @Contract(gives="WhoAmI")
    async def get(self) -> None:
        """Return the user of the token, its permissions, and the user's groups and streams."""
        await self.reply(
            lambda: {
                "user_id": self.principal.user_id,
                "username": self.principal.username,
                "permissions": sorted(self.principal.permissions),
                "group_ids": sorted(self.principal.group_ids),
                "stream_ids": sorted(self.principal.stream_ids),
            }
        )


class UsageHandler(BaseHandler):
    """The usage of owners, and their quotas."""

    needs: ClassVar = {"GET": ANY}

    @Contract(gives="Usage")
    async def get(self) -> None:
        """Return the series, bytes and quotas (0: none) of the user; for System admin, of all users."""
        limits = self.services.config.quotas
        await self.reply(lambda: {"usage": self.services.reader.usage(self.principal), "limits": limits})


class EnumTypesHandler(BaseHandler):
    """The allowed values of enumerations."""

    needs: ClassVar = {"GET": ANY}
    public: ClassVar[bool] = True

    @Contract(gives="EnumTypes")
    async def get(self) -> None:
        """Return the allowed values of enumerations: filters, alignments, time scales, permissions."""
        await self.reply(
            lambda: {
                "ALLOWED_BANDPASSES": self.services.archive.filters,
                **ENUMERATIONS,
                "ALLOWED_PERMISSIONS": tuple(PERMISSIONS),
            }
        )


class NotFoundHandler(BaseHandler):
    """Every path without a route."""

    async def prepare(self) -> None:
        """Answer 404."""
        path = self.request.path[:200]
        raise NotFoundError(f"There is nothing at {path}.{suggestion(path.removeprefix('/api/'), RESOURCES)}")
