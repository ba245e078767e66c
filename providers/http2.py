"""Calls by HTTP/2 alone, for those who speak nothing else: the same answers as of `providers.http`.

Over `http://` it begins with HTTP/2 at once (RFC 9113 section 3.3), which serves trials on loopback.
"""

import asyncio
import ssl
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Final

import httpx2

from providers.http import MOST_BYTES, Answer, HttpSettings, NoAnswer, no_answer, tls_context

_CONNECT_SECONDS: Final = 10.0
_KEPT_SECONDS: Final = 60.0
"""Apple wants connections kept, and takes its leave (GOAWAY) on those that it closes."""
_HEADERS: Final = {"User-Agent": "Heliograph", "Accept-Encoding": "identity"}


class Http2Client:
    """Calls one provider; many calls share a connection."""

    def __init__(self, name: str, settings: HttpSettings) -> None:
        """Raises ConfigurationError for a `ca_file` that cannot be read."""
        self._settings = settings
        self._tls = tls_context(name, settings.ca_file)
        self._transport: httpx2.AsyncHTTPTransport | None = None

    async def call(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, deadline_seconds: float
    ) -> Answer | NoAnswer:
        """Make one request. It never raises for what a server or the network does."""
        progress = SimpleNamespace(may_have_left=False)

        async def note(event: str, told: object) -> None:  # noqa: ARG001 - the shape that the library calls
            progress.may_have_left = progress.may_have_left or event == "http2.send_request_headers.started"

        seconds = min(self._settings.timeout_seconds, deadline_seconds)
        ends = asyncio.get_running_loop().time() + seconds
        transport = self._open_transport()
        try:
            request = httpx2.Request(
                method,
                url,
                headers={**_HEADERS, **headers},
                content=body,
                extensions={"trace": note, "timeout": {"connect": _CONNECT_SECONDS}},
            )
            async with asyncio.timeout_at(ends):
                # The library's client on top of this would log the whole address, a device's token in it.
                response = await transport.handle_async_request(request)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            return _nothing(error, may_have_left=progress.may_have_left)
        try:
            return Answer(
                status=response.status_code,
                headers={name.lower(): value for name, value in response.headers.items()},
                body=await _read(response, ends),
            )
        finally:
            await _close(response)

    async def aclose(self) -> None:
        """Close all connections; safe to call twice, and a later call opens new ones."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()

    def _open_transport(self) -> httpx2.AsyncHTTPTransport:
        if self._transport is None:
            self._transport = httpx2.AsyncHTTPTransport(
                http1=False,
                http2=True,
                verify=self._tls,
                trust_env=False,
                limits=httpx2.Limits(max_connections=self._settings.connections, keepalive_expiry=_KEPT_SECONDS),
            )
        return self._transport


async def _read(response: httpx2.Response, ends: float) -> bytes | None:
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        return None
    body = bytearray()
    try:
        async with asyncio.timeout_at(ends):
            async for piece in response.aiter_raw():
                body += piece
                if len(body) > MOST_BYTES:
                    return None
    except (httpx2.HTTPError, OSError):
        return None
    return bytes(body)


async def _close(response: httpx2.Response) -> None:
    """Let go of the stream; a connection that is broken by now has nothing more to say."""
    try:
        await response.aclose()
    except (httpx2.HTTPError, OSError):
        return


def _nothing(error: Exception, *, may_have_left: bool) -> NoAnswer:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError) and not may_have_left:
            return no_answer("tls")
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx2.InvalidURL | httpx2.UnsupportedProtocol):
        return no_answer("bad_url")
    if not may_have_left:
        return no_answer("no_connection")
    late = isinstance(error, TimeoutError | httpx2.TimeoutException)
    return no_answer("lost:late" if late else "lost:broken")
