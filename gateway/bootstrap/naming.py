"""The DNS, by dnspython: the system's servers, or one that is named."""

from collections.abc import Sequence
from typing import Final

import dns.asyncresolver
import dns.exception
import dns.rdatatype
import dns.resolver
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.TXT import TXT

from gateway.errors import ConfigurationError
from gateway.settings.values import host_and_port

_PATIENCE_SECONDS: Final = 5.0
"""For one question in all."""
_NOTHING: Final = (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer)


class DnsNames:
    """Implements ports.Names."""

    def __init__(self, server: str | None = None) -> None:
        """Asks `server`, an address with its port, or else those of the system. Raises ConfigurationError."""
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=server is None)
            if server is not None:
                host, port = host_and_port(server)
                self._resolver.nameservers, self._resolver.port = [host], port
        except (dns.exception.DNSException, ValueError, OSError) as error:
            raise ConfigurationError(f"no DNS server can be asked: {error}") from error
        self._resolver.lifetime = _PATIENCE_SECONDS

    async def texts(self, name: str) -> Sequence[str] | None:
        """The TXT records of a name; None where nobody could be asked."""
        try:
            answer = await self._resolver.resolve(name, dns.rdatatype.TXT)
        except _NOTHING:
            return ()
        except (dns.exception.DNSException, OSError):
            return None
        return [b"".join(one.strings).decode("utf-8", "replace") for one in answer if isinstance(one, TXT)]

    async def takes_mail(self, name: str) -> bool | None:
        """Whether it has an MX record that names somebody (RFC 7505), or an address (RFC 5321 section 5.1)."""
        for kind in (dns.rdatatype.MX, dns.rdatatype.A, dns.rdatatype.AAAA):
            try:
                answer = await self._resolver.resolve(name, kind)
            except _NOTHING:
                continue
            except (dns.exception.DNSException, OSError):
                return None
            return not any(isinstance(one, MX) and str(one.exchange) == "." for one in answer)
        return False
