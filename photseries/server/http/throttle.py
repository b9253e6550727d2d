"""Client addresses, recognition of https, and the throttle of invalid tokens."""

from __future__ import annotations

import functools
import hashlib
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

from photseries.errors import TooManyRequestsError
from photseries.server.settings import ServerSettings

__all__ = ["Throttle", "came_by_https", "client_address", "network_of"]

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_REMEMBERED = 10_000
#: More than the length of any address.
_MAX_LENGTH = 50
#: Maximum number of proxies in a chain.
MAX_HOPS = 20
WINDOW = 60.0  # [s]


def client_address(peer: str, forwarded: str, settings: ServerSettings) -> str:
    """Return the address of a client.

    Parameters
    ----------
    peer : str
        The address at the other end of the connection.
    forwarded : str
        The header X-Forwarded-For; used only if the peer is one of ``server.trusted_proxies``. The client is the last
        address in it that is not a trusted proxy; an invalid address ends the search.
    settings : ServerSettings

    Returns
    -------
    str
    """
    client, hop = peer, _address(peer)
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()][-MAX_HOPS:]
    while hops and _is_trusted(hop, settings):
        hop = _address(hops.pop())
        client = client if hop is None else str(hop)
    return client


def network_of(address: str) -> str:
    """Return what counts as one client: an IPv4 address, or the 64 bits of an IPv6 address that its network assigns."""
    found = _address(address)
    if not isinstance(found, ipaddress.IPv6Address):
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))


def came_by_https(peer: str, forwarded: str, settings: ServerSettings) -> bool:
    """Return whether a client uses https, according to X-Forwarded-Proto of a trusted proxy."""
    return forwarded.strip().lower() == "https" and _is_trusted(_address(peer), settings)


def _address(text: str) -> _Address | None:
    return _parsed(text.partition("%")[0][:_MAX_LENGTH])  # the zone of an IPv6 address can be any text


@functools.lru_cache(1000)
def _parsed(text: str) -> _Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _is_trusted(address: _Address | None, settings: ServerSettings) -> bool:
    return address is not None and any(address in ipaddress.ip_network(network) for network in settings.trusted_proxies)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


class Throttle:
    """Counts invalid tokens by client address, and refuses an address with too many: a leaky bucket per process.

    The bucket drains within a minute. Recently valid tokens are exempt, because many users can share an address with an
    attacker. Session secrets count like tokens.

    Parameters
    ----------
    settings : ServerSettings
        ``token_failures`` is the maximum number per minute.
    clock : callable, optional
        Returns the time [s].
    """

    def __init__(self, settings: ServerSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = settings.token_failures
        self._clock = clock
        self._failures: OrderedDict[str, tuple[float, float]] = OrderedDict()  # address -> level, time [s]
        self._valid: OrderedDict[bytes, int] = OrderedDict()  # digests of tokens -> their user

    def check(self, address: str, secret: str) -> None:
        """Raise an error if an address may not try a token.

        Raises
        ------
        TooManyRequestsError
            When too many invalid tokens came from it.
        """
        if self._level(address) >= self._most and _digest(secret) not in self._valid:
            raise TooManyRequestsError("Too many requests with tokens that are not valid. Wait a minute.")

    def user_of(self, secret: str) -> int:
        """Return the id of the user of a recently valid token; 0 if unknown."""
        return self._valid.get(_digest(secret), 0)

    def record_success(self, secret: str, user_id: int = 0) -> None:
        """Remember a valid token, and the id of its user if known."""
        digest = _digest(secret)
        self._valid[digest] = user_id or self._valid.get(digest, 0)
        self._valid.move_to_end(digest)
        if len(self._valid) > MAX_REMEMBERED:
            self._valid.popitem(last=False)

    def record_failure(self, address: str) -> None:
        """Count an invalid token."""
        self._failures[address] = (self._level(address) + 1, self._clock())
        self._failures.move_to_end(address)
        if len(self._failures) > MAX_REMEMBERED:
            self._failures.popitem(last=False)

    def _level(self, address: str) -> float:
        level, then = self._failures.get(address, (0.0, 0.0))
        return max(0.0, level - (self._clock() - then) * self._most / WINDOW)
