"""What settings are made of: tables that refuse unknown keys, durations, ports, zones, addresses and secrets."""

import re
from typing import Annotated, Final, TypeAlias
from urllib.parse import urlsplit

import pytz
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from gateway.ports import kinds


def _known_zone(name: str) -> str:
    if name not in pytz.all_timezones_set:
        raise ValueError(f"{name!r} is no IANA time zone, such as Europe/Paris")
    return name


def redis_url(url: str) -> str:
    if url and urlsplit(url).scheme not in ("redis", "rediss", "unix"):
        raise ValueError("it must be redis://…, rediss://… or unix://…, or empty for the embedded mode")
    return url


def store_url(url: str) -> str:
    if urlsplit(url).scheme.partition("+")[0] not in ("sqlite", "postgresql"):
        raise ValueError("it must be sqlite:///path/to/file.db or postgresql://…")
    return url


_LEAST_SECRET: Final = 16
"""Characters; an empty variable must not leave links that anybody can sign."""


def long_enough(secret: SecretStr) -> SecretStr:
    if len(secret) < _LEAST_SECRET:
        raise ValueError(f"it must have at least {_LEAST_SECRET} characters; `openssl rand -hex 32` makes a good one")
    return secret


_PASSWORD: Final = re.compile(r"(?<=://)([^/@]*:)[^/@]+@")


def masked_url(url: str) -> str:
    """A URL for people to read: without its password."""
    return _PASSWORD.sub(r"\1••••@", url)


def host_and_port(address: str) -> tuple[str, int]:
    """`host:port` taken apart; an IPv6 address stands in brackets. Raises ValueError."""
    host, separator, port = address.rpartition(":")
    if not separator or not host or not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise ValueError("it must be an address and a port, such as 127.0.0.1:2526")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _listened(address: str) -> str:
    host_and_port(address)
    return address


_LABEL: Final = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_DOMAIN: Final = re.compile(rf"(?=.{{1,190}}$){_LABEL}(\.{_LABEL})*", re.IGNORECASE)


def _domain_name(domain: str) -> str:
    if not _DOMAIN.fullmatch(domain):
        raise ValueError("it must be a domain as it stands in the DNS, such as bounces.example.com")
    return domain.lower()


def listed(value: object) -> object:
    """A variable holds a text: words with commas between."""
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(listed)]
"""A list, which a variable holds with commas between."""
Listened = Annotated[str, AfterValidator(_listened)]
"""Where to listen, as `host:port`."""
Domain = Annotated[str, AfterValidator(_domain_name)]
Duration: TypeAlias = kinds.Duration
Zone = Annotated[str, AfterValidator(_known_zone)]
Port = Annotated[int, Field(ge=0, le=65535)]


class Section(BaseModel):
    """A table of the settings; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
