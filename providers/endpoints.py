"""Addresses that callers supply: they must be https and public, and what was checked is what is connected to.

A name is looked up once, each address that it has is judged, and the connection is made to one of those: a second
look-up, which might answer otherwise (DNS rebinding), never happens.
"""

import ipaddress
import socket
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

Address = IPv4Address | IPv6Address

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
"""RFC 6052: an IPv4 address in its last 32 bits."""

_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
"""All that was ever given out of IPv6 (IANA, "Internet Protocol Version 6 Address Space")."""


class UnsafeAddress(OSError):
    """A name that leads, or may lead, to an inside address."""


class EndpointGuard:
    """Says which addresses may be called on behalf of others."""

    def __init__(self, allowed: Collection[str] = ()) -> None:
        """`allowed` names inside hosts, addresses or networks that may be called, even without TLS."""
        self._names = frozenset(one.lower() for one in allowed)
        self._networks = tuple(network for one in allowed if (network := _network(one)) is not None)

    def objection(self, url: URL) -> str | None:
        """Why this URL must not be called, as far as it can be said without a look-up; None for no reason."""
        try:
            host = (url.host or "").lower()
            # What no resolver takes for a name, and no socket for a port.
            (url.raw_host or "").encode("ascii").decode().encode("idna")
            is_address = url.port is not None
        except ValueError:
            is_address = False
        if not is_address:
            return "It is no address of the web."
        if url.scheme not in ("http", "https") or not host:
            return "It is no address of the web."
        if url.user is not None or url.password is not None:
            return "An address must not carry a name or a password."
        literal = _literal(host)
        if self._names_it(host, literal):
            return None
        if url.scheme != "https":
            return "It must be https, unless the operator allows this address."
        return None if literal is None or _is_public(literal) else "It is not a public address."

    def admits(self, host: str, address: str) -> bool:
        """Whether a name may be called at an address that it was looked up to."""
        literal = _literal(address)
        return literal is not None and (_is_public(literal) or self._names_it(host.lower(), literal))

    def _names_it(self, host: str, literal: Address | None) -> bool:
        return host in self._names or (literal is not None and any(literal in network for network in self._networks))


class GuardedResolver(AbstractResolver):
    """Looks names up for the one connection that follows, and withholds what the guard does not admit."""

    def __init__(self, guard: EndpointGuard) -> None:
        self._guard = guard
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a name. Raises UnsafeAddress where one of them is inside: no such name is to be trusted."""
        found = await self._resolver.resolve(host, port, family)
        if not all(self._guard.admits(host, one["host"]) for one in found):
            raise UnsafeAddress("The name leads to an address that is not public.")
        return found

    async def close(self) -> None:
        """Nothing is kept."""
        await self._resolver.close()


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _is_public(address: Address) -> bool:
    """Whether it is an address of the internet at large, also after what it wraps was taken out."""
    if isinstance(address, IPv6Address):
        inner = _wrapped(address)
        if inner is not None:
            return _is_public(inner)
        if address not in _UNICAST:
            return False
    return address.is_global and not address.is_multicast


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a mapped, translated or tunnelled IPv6 address leads to."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
