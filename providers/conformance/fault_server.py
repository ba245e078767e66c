"""A far side on loopback that answers as it is told, or misbehaves in one of the ways that networks know."""

import asyncio
import contextlib
import gzip
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from urllib.parse import parse_qsl, urlsplit


class Mishap(StrEnum):
    """What becomes of a request in place of an answer."""

    RESET_BEFORE_BODY = "reset_before_body"
    """The connection is reset when the head of the request was read."""
    RESET_AFTER_BODY = "reset_after_body"
    """It is reset when the whole request was read."""
    HANG = "hang"
    """Nothing comes back."""
    DRIP = "drip"
    """A success comes so slowly that it is not whole in time."""
    NO_HTTP = "no_http"
    """Something comes back that is no HTTP."""
    TRUNCATED_GZIP = "truncated_gzip"
    """A success comes compressed, and breaks off."""
    ENDLESS = "endless"
    """The body of the success never ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What reached the server, whole."""

    method: str
    target: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def path(self) -> str:
        """Without the query."""
        return urlsplit(self.target).path

    @property
    def form(self) -> dict[str, str]:
        """The body as a form; of a repeated name the last."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the server says."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


Manner = Reply | Mishap | Callable[[Request], Reply | Mishap]
"""The same for every request, or what each one calls for once it was read whole."""


class FaultServer:
    """One server; `manner` may be changed at any time."""

    def __init__(
        self,
        manner: Manner,
        aside: Callable[[Request], Reply | None] = lambda announced: None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """What `aside` answers, from the head of the request, is neither counted nor subject to the manner."""
        self.manner = manner
        self._tls = tls
        self._aside = aside
        self.requests: list[Request] = []
        """Every request that was read whole, in order."""
        self.port = 0
        self._open: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self.port}"

    async def start(self, port: int = 0) -> None:
        """Listen on loopback; 0 takes a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Let go of every connection."""
        self._server.close()
        for task in tuple(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            while await self._answer(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            # The client has left, or the test is over.
            pass
        finally:
            self._open.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Take one request and meet it; whether the connection serves on."""
        announced = _read_head(await reader.readuntil(b"\r\n\r\n"))
        reply, manner = self._aside(announced), self.manner
        if reply is None and manner is Mishap.RESET_BEFORE_BODY:
            writer.transport.abort()
            return False
        body = await reader.readexactly(int(announced.headers.get("content-length", "0")))
        request = replace(announced, body=body)
        if reply is None:
            self.requests.append(request)
            met = manner(request) if callable(manner) else manner
            if isinstance(met, Mishap):
                await _misbehave(met, writer)
                return False
            reply = met
        writer.write(_head(reply.status, {**reply.headers, "Content-Length": str(len(reply.body))}) + reply.body)
        await writer.drain()
        return True


@asynccontextmanager
async def open_fault_server(server: "FaultServer | Manner") -> AsyncIterator[FaultServer]:
    """A server, or one with a manner, for as long as the block lasts."""
    opened = server if isinstance(server, FaultServer) else FaultServer(server)
    await opened.start()
    try:
        yield opened
    finally:
        await opened.stop()


def _read_head(head: bytes) -> Request:
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, target, _ = first.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Request(method=method, target=target, headers=headers, body=b"")


async def _misbehave(mishap: Mishap, writer: asyncio.StreamWriter) -> None:
    match mishap:
        case Mishap.RESET_BEFORE_BODY | Mishap.RESET_AFTER_BODY:
            writer.transport.abort()
        case Mishap.HANG:
            await asyncio.Event().wait()
        case Mishap.NO_HTTP:
            writer.write(b"\x15\x03\x01\x00\x02\x02\x46 220 ready\r\n\r\n")
            await writer.drain()
        case Mishap.TRUNCATED_GZIP:
            packed = gzip.compress(b'{"sid": "SM1", "status": "queued"}')
            headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
            writer.write(_head(200, {**headers, "Content-Length": str(len(packed))}) + packed[:-8])
            await writer.drain()
        case Mishap.DRIP:
            writer.write(_head(200, {"Content-Length": "10000"}))
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.05)
        case Mishap.ENDLESS:
            writer.write(_head(200, {"Connection": "close"}))
            while not writer.transport.is_closing():
                writer.write(b" " * 65_536)
                await writer.drain()


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
