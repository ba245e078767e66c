"""An HTTP server that takes every call as SendGrid and Twilio would and forgets it, as its own process.

    python -m benchmarks.http_sink

Prints its port; ends when standard input closes.
"""

import asyncio
import sys

_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


class Sink(asyncio.Protocol):
    """One connection; requests with a Content-Length, one after the other."""

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._buffer += data
        while (end := self._buffer.find(_END)) >= 0:
            head = self._buffer[:end].lower()
            length = int(head.partition(_LENGTH)[2].partition(b"\r")[0])
            whole = end + len(_END) + length
            if len(self._buffer) < whole:
                return
            self._buffer = self._buffer[whole:]
            self._transport.write(_TAKEN if b"/mail/send" in head[:40] else _CREATED)


_TAKEN = b"HTTP/1.1 202 Accepted\r\nX-Message-Id: 4XyZ12\r\nContent-Length: 0\r\n\r\n"
_MESSAGE = b'{"sid": "SM00000000000000000000000000000000", "status": "queued", "error_code": null}'
_CREATED = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(_MESSAGE),
    _MESSAGE,
)


async def main() -> None:
    """Listen until standard input closes."""
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
    async with server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
