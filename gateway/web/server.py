"""Listening: a bounded number of connections, problems even for what is no HTTP, and an orderly end."""

import asyncio
import gc
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from gateway.errors import ConfigurationError
from gateway.web.problems import Problem, problem_of_http
from gateway.web.requests import RequestIds, trace_context
from gateway.web.responses import STANDING_HEADERS
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


class Connection(RequestHandler):
    """One connection; what the web server refuses by itself is answered in the same shape as every other refusal."""

    __slots__ = ()

    def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> Coroutine[Any, Any, tuple[web.StreamResponse, bool]]:
        """Send an answer. One that never reached the middleware, as to an unknown `Expect`, is put in our words."""
        if isinstance(resp, Exception) and isinstance(resp, web.HTTPException):
            resp = _refuse(request, problem_of_http(resp))
        return super().finish_response(request, resp, start_time)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """A problem instead of plain text; the connection is closed."""
        if status >= 500 or request.writer.output_size > 0:
            # Logs what is worth it, and raises where a part of another answer is out already.
            super().handle_error(request, status, exc, message)
        code = "bad_request" if status < 500 else "internal"
        return _refuse(request, Problem(status=status, code=code, detail="This could not be read as an HTTP request."))


def _refuse(request: web.BaseRequest, problem: Problem) -> web.Response:
    """Answer beside the middleware, with the headers that it would give; the connection is closed."""
    request_id = RequestIds().of(request)
    response = problem.answer(request_id)
    response.headers.update({**STANDING_HEADERS, "X-Request-Id": request_id})
    if (trace := trace_context(request)) is not None:
        response.headers["traceparent"] = trace
    response.force_close()
    return response


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

    def connect() -> asyncio.Protocol:
        if len(server.connections) >= most_connections:
            return _TurnedAway()
        return Connection(server, loop=loop, **_SERVER_OPTIONS)

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
