"""The one HTTP client of all adapters: pooled, bounded in time and size, without redirects and hidden retries.

A call comes to an answer, or to nothing; and of nothing it is said whether the request can have been taken. That is
so from the moment on at which a connection stood: what was written then may have arrived, whatever came back.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import ClassVar, Final

import aiohttp
from yarl import URL

from gateway.domain.values import Discreet, Value, replace
from gateway.errors import ConfigurationError
from providers.base import Outcome, SendResult
from providers.endpoints import EndpointGuard, GuardedResolver, UnsafeAddress

MOST_BYTES: Final = 256 * 1024
"""Of an answer; the longest that a provider has a reason for is a list of errors."""
_KEPT_SECONDS: Final = 15.0
"""How long an idle connection is kept: less than servers keep theirs, so that none is used as it is being closed."""
_CONNECT_SECONDS: Final = 10.0


class Answer(Discreet, frozen=True, kw_only=True):
    """What came back, whatever its status."""

    unshown: ClassVar = frozenset({"headers", "body"})

    status: int
    headers: Mapping[str, str]
    """Names in lower case; of a repeated header the last."""
    body: bytes | None
    """None where it could not be read whole: it broke off, was compressed unasked, or was too long."""


class NoAnswer(Value, frozen=True, kw_only=True):
    """Nothing came back that could be read."""

    outcome: Outcome
    """`unknown` where the request may have been taken; else it is known not to have been."""
    code: str
    detail: str

    def as_result(self) -> SendResult:
        """The same, of a call that sends."""
        return SendResult(outcome=self.outcome, code=self.code, detail=self.detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """How to treat one provider's servers."""

    timeout_seconds: float = 30.0
    """For one call in all."""
    connections: int = 16
    """How many calls at once, at most."""
    ca_file: Path | None = None
    """Authorities to trust in place of the system's."""


class HttpClient:
    """Calls one provider."""

    def __init__(self, name: str, settings: HttpSettings, guard: EndpointGuard | None = None) -> None:
        """With a `guard` it calls only what the guard admits: for addresses that come from callers.

        Raises ConfigurationError for a `ca_file` that cannot be read.
        """
        self._settings = settings
        self._guard = guard
        self._tls = tls_context(name, settings.ca_file)
        self._session: aiohttp.ClientSession | None = None

    async def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        deadline_seconds: float | None = None,
    ) -> Answer | NoAnswer:
        """Make one request. It never raises for what a server or the network does."""
        if isinstance(target := self._target(url), NoAnswer):
            return target
        seconds = min(self._settings.timeout_seconds, deadline_seconds or self._settings.timeout_seconds)
        deadline = asyncio.get_running_loop().time() + seconds
        progress = SimpleNamespace(may_have_left=False)
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._open_session().request(
                    method, target, headers=headers, data=body, allow_redirects=False, trace_request_ctx=progress
                )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # A name or a port that is none is a ValueError, found only where it is used.
            return self._seen_by_guard(_nothing(error, may_have_left=progress.may_have_left))
        async with response:
            return Answer(
                status=response.status,
                headers={name.lower(): value for name, value in response.headers.items()},
                body=await _read(response, deadline),
            )

    async def aclose(self) -> None:
        """Close all connections; safe to call twice, and a later call opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _target(self, url: str) -> URL | NoAnswer:
        try:
            target = URL(url, encoded=True)
        except ValueError:
            return self._seen_by_guard(no_answer("bad_url"))
        objection = None if self._guard is None else self._guard.objection(target)
        if objection is not None:
            return no_answer("unsafe_address", objection)
        return target

    def _seen_by_guard(self, silence: NoAnswer) -> NoAnswer:
        """An address of a caller's that is none, or whose server is not to be trusted, says nothing of our settings."""
        if self._guard is None or silence.outcome is not Outcome.MISCONFIGURED:
            return silence
        return replace(silence, outcome=Outcome.REJECTED if silence.code == "bad_url" else Outcome.TRANSIENT)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            # One place for each call that may be under way: none waits here for another.
            connector = aiohttp.TCPConnector(
                limit=self._settings.connections,
                keepalive_timeout=_KEPT_SECONDS,
                ssl=self._tls,
                resolver=None if self._guard is None else GuardedResolver(self._guard),
                use_dns_cache=self._guard is None,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "Heliograph", "Accept-Encoding": "identity"},
                timeout=aiohttp.ClientTimeout(total=None, connect=_CONNECT_SECONDS),
                auto_decompress=False,
                trust_env=False,
                trace_configs=[_departures()],
            )
        return self._session


def _departures() -> aiohttp.TraceConfig:
    """Notes the moment from which on a request may have left."""

    async def note(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
        context.trace_request_ctx.may_have_left = True

    tracing = aiohttp.TraceConfig()
    tracing.on_connection_create_end.append(note)
    tracing.on_connection_reuseconn.append(note)
    return tracing


async def _read(response: aiohttp.ClientResponse, deadline: float) -> bytes | None:
    """The body, None where it is not to be had whole: the status stands all the same."""
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        return None
    body = bytearray()
    try:
        async with asyncio.timeout_at(deadline):
            async for piece in response.content.iter_any():
                body += piece
                if len(body) > MOST_BYTES:
                    return None
    except (aiohttp.ClientError, OSError):
        return None
    return bytes(body)


_MEANINGS: Final[Mapping[str, tuple[Outcome, str]]] = MappingProxyType(
    {
        "tls": (
            Outcome.MISCONFIGURED,
            "The server's certificate cannot be trusted, or it does not speak TLS on this port.",
        ),
        "bad_url": (Outcome.MISCONFIGURED, "The address is no URL."),
        "unsafe_address": (Outcome.REJECTED, "It is not a public address."),
        "no_connection": (Outcome.TRANSIENT, "No connection."),
        "lost:late": (Outcome.UNKNOWN, "No answer in time."),
        "lost:broken": (Outcome.UNKNOWN, "The connection broke, or what came back was no answer."),
    }
)
"""Why nothing came back, and what that means."""


def no_answer(code: str, detail: str | None = None) -> NoAnswer:
    """Nothing came back, for one of the reasons that there are."""
    outcome, sentence = _MEANINGS[code]
    return NoAnswer(outcome=outcome, code=code, detail=detail or sentence)


def _nothing(error: Exception, *, may_have_left: bool) -> NoAnswer:
    """Why no answer came (the classes of aiohttp's own error tree)."""
    match error:
        case aiohttp.ClientSSLError():
            return no_answer("tls")
        case aiohttp.ClientConnectorError(os_error=UnsafeAddress()):
            return no_answer("unsafe_address")
        case ValueError() if not may_have_left:
            return no_answer("bad_url")
    if not may_have_left:
        return no_answer("no_connection")
    return no_answer("lost:late" if isinstance(error, TimeoutError) else "lost:broken")


def tls_context(name: str, ca_file: Path | None) -> ssl.SSLContext:
    """Trusts the system's authorities, or those of a file. Raises ConfigurationError."""
    try:
        return _trusting(ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"providers.{name}.ca_file: {ca_file} is no readable file of certificates in PEM ({error})."
        ) from error


@lru_cache(maxsize=16)
def _trusting(ca_file: Path | None) -> ssl.SSLContext:
    """One for all that trust the same: reading the system's authorities takes longer than a whole call."""
    return ssl.create_default_context(cafile=ca_file)
