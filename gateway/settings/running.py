"""Where the gateway listens, where the truth lives, what carries the work, and how it speaks."""

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from gateway.settings.values import Duration, Port, Section, Words, long_enough, redis_url, store_url


class Dispatching(StrEnum):
    """Where `heliograph serve` has messages handed over to providers."""

    INSIDE = "inside"
    """In each process that accepts."""
    BESIDE = "beside"
    """In one process beside those that accept, so that neither starves the other."""
    ELSEWHERE = "elsewhere"
    """By `heliograph worker`."""


class ServerSettings(Section):
    """Where the gateway listens and how the world names it."""

    host: str = "127.0.0.1"
    port: Port = 8080
    public_url: str = ""
    """Base of links in messages; left out, http://host:port."""
    drain: Duration = timedelta(seconds=25)
    """How long SIGTERM lets calls in flight finish."""
    processes: Annotated[int, Field(ge=1, le=256)] = 1
    """How many processes accept, on one port."""
    dispatch: Dispatching | None = None
    """Where what is accepted is handed over to providers."""


class StoreSettings(Section):
    """Where the truth lives."""

    url: Annotated[str, AfterValidator(store_url)] = "sqlite:///var/heliograph.db"


class QueueSettings(Section):
    """What carries the work from the processes that accept to those that dispatch."""

    url: Annotated[str, AfterValidator(redis_url)] = ""
    """Redis; empty: the process that accepts dispatches as well."""


class WorkerSettings(Section):
    """`heliograph worker`: how many, and where they answer probes."""

    processes: Annotated[int, Field(ge=1, le=256)] = 1
    host: str = "127.0.0.1"
    port: Port | None = None
    """Of `/healthz`, `/readyz` and `/metrics` of `heliograph worker`; left out, it does not listen."""


class ContentSettings(Section):
    """A team's own folders; left out, the shipped ones."""

    templates: Path | None = None
    translations: Path | None = None
    refresh: Duration = timedelta(seconds=2)
    """How often changed files are looked for."""


class LocalesSettings(Section):
    """Languages; every locale that has a catalog is offered."""

    default: str = "en"
    """The language of the msgids, always offered."""


class SecuritySettings(Section):
    """What the gateway signs with."""

    secret: Annotated[SecretStr, AfterValidator(long_enough)] | None = None
    """Signs links in messages; left out, one is made and kept: beside an SQLite file, or in PostgreSQL."""
    allow_private_endpoints: Words = ()
    """Inside hosts, addresses or networks that may be called where a caller supplies the address."""


class LimitsSettings(Section):
    """How large a request may be."""

    body_bytes: Annotated[int, Field(ge=1024)] = 2 * 1024 * 1024
    batch_body_bytes: Annotated[int, Field(ge=1024)] = 16 * 1024 * 1024
    attachments: Annotated[int, Field(ge=0)] = 10
    attachment_bytes: Annotated[int, Field(ge=0)] = 1024 * 1024
    """Decoded, all files of one message together."""


class LogSettings(Section):
    """How the gateway speaks to its operators on standard error."""

    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"
