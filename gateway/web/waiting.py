"""What a process answers while it waits for its store: that it lives, and that it cannot work yet."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from gateway.errors import ConfigurationError

_LONGEST_HEAD: Final = 16 * 1024
_PATIENCE_SECONDS: Final = 10.0
"""How long a connection may say nothing."""


def _answer(status: str, content_type: str, body: dict[str, object], *headers: str) -> bytes:
    content = json.dumps(body).encode()
    lines = (
        f"HTTP/1.1 {status}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(content)}",
        *headers,
        "Connection: close",
    )
    return "\r\n".join((*lines, "", "")).encode() + content


_LIVES: Final = _answer("200 OK", "application/json", {"status": "ok"})
_WAITS: Final = _answer(
    "503 Service Unavailable",
    "application/problem+json",
    {"title": "Unavailable", "status": 503, "code": "unavailable", "detail": "The store is not there yet."},
    "Retry-After: 5",
)


class _Waiting(asyncio.Protocol):
    """Answers one request and hangs up."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._transport: asyncio.Transport
        self._end: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._end = asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, transport.close)

    def data_received(self, data: bytes) -> None:
        self._head += data
        if b"\r\n\r\n" in self._head or len(self._head) > _LONGEST_HEAD:
            self._transport.write(_LIVES if self._head.startswith(b"GET /healthz ") else _WAITS)
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._end.cancel()


@asynccontextmanager
async def answering(host: str, port: int, *, shared: bool) -> AsyncIterator[None]:
    """Answer on the port of the process for as long as it waits; not on port 0, of which nobody knows yet where it is.

    Raises ConfigurationError when it cannot be had.
    """
    if port == 0:
        yield
        return
    try:
        server = await asyncio.get_running_loop().create_server(_Waiting, host, port, reuse_port=shared or None)
    except OSError as error:
        raise ConfigurationError(f"Cannot listen on {host}:{port}: {error.strerror or error}") from error
    try:
        yield
    finally:
        server.close()
