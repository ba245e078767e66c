"""Listening: a bounded number of connections, problems even for what is no HTTP, and an orderly end."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web

from gateway.errors import ConfigurationError
from gateway.web.connection import Connection
from gateway.web.doorway import DOORWAY
from gateway.web.shortcuts import SHORTCUTS, shortened

_MOST_CONNECTIONS: Final = 4_096
_SERVER_OPTIONS: Final[dict[str, Any]] = {
    "keepalive_timeout": 30.0,
    "access_log": None,
    # Compressed bodies are refused; whatever else comes compressed is not unpacked either.
    "auto_decompress": False,
}
_LAST_ANSWERS_SECONDS: Final = 10.0
"""How long requests under way may take once the listener is closed."""
_COLLECT_EVERY: Final = 10_000
"""New containers between two looks of the garbage collector."""
_TURNED_AWAY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)


class _TurnedAway(asyncio.Protocol):
    """Answers that there is no room, and hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.WriteTransport):
            transport.write(_TURNED_AWAY)
            transport.close()


def _settle_memory() -> None:
    """What is loaded by now lives as long as the process, and requests make no cycles to speak of.

    Without this the collector walks all templates and tables again and again while messages come in.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_EVERY, 20, 20)


_PIECE_BYTES: Final = 256 * 1024
"""What is read at once. Of a request that is refused unread, what lies beyond resets the connection."""


@asynccontextmanager
async def listening(
    app: web.Application,
    host: str,
    port: int,
    *,
    most_connections: int = _MOST_CONNECTIONS,
    shared: bool = False,
    last_answers: float = _LAST_ANSWERS_SECONDS,
) -> AsyncIterator[int]:
    """Serve the app while the context lasts; gives the port, which matters where 0 was asked for.

    A `shared` port is one that `reserved` keeps: the kernel spreads new connections over all who listen on it.

    On the way out the listener closes, requests under way finish within the seconds for their `last_answers`, and
    then the app is cleaned up. Raises
    ConfigurationError when the address cannot be had.
    """
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=last_answers, **_SERVER_OPTIONS)
    await runner.setup()
    server = runner.server
    assert server is not None
    server.request_handler = shortened(server.request_handler, app.get(SHORTCUTS, {}))
    loop = asyncio.get_running_loop()
    incoming = memoryview(bytearray(_PIECE_BYTES))

    def connect() -> asyncio.Protocol:
        if len(server.connections) >= most_connections:
            return _TurnedAway()
        return Connection(server, incoming, app.get(DOORWAY), loop=loop, **_SERVER_OPTIONS)

    _settle_memory()
    try:
        try:
            listener = await loop.create_server(connect, host, port, backlog=1024, reuse_port=shared or None)
        except OSError as error:
            raise ConfigurationError(f"Cannot listen on {host}:{port}: {error.strerror or error}") from error
        try:
            yield listener.sockets[0].getsockname()[1]
        finally:
            listener.close()
    finally:
        await runner.cleanup()


@asynccontextmanager
async def reserved(host: str, port: int) -> AsyncIterator[int]:
    """Keep a port for processes of ours that share it, without listening; gives the port.

    Raises ConfigurationError when it cannot be had.
    """
    try:
        holder = await asyncio.get_running_loop().create_server(
            asyncio.Protocol, host, port, reuse_port=True, start_serving=False
        )
    except OSError as error:
        raise ConfigurationError(f"Cannot listen on {host}:{port}: {error.strerror or error}") from error
    try:
        yield holder.sockets[0].getsockname()[1]
    finally:
        holder.close()
