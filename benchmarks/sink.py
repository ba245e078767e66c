"""An SMTP server that takes every message, counts it and forgets it, as its own process.

    python -m benchmarks.sink

Prints its port; then answers each line on standard input with how many messages it took, until that closes.
"""

import asyncio
import sys

_DOT = b"\r\n.\r\n"
_MAX_BYTES = 4 * 1024 * 1024
"""More than this without an end of line or text, and the peer is no client of ours."""


class Sink(asyncio.Protocol):
    """One connection; commands may come pipelined (RFC 2920)."""

    taken = 0
    """Messages of all connections."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._in_text = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._buffer += data
        answers: list[bytes] = []
        while (answer := self._read()) is not None:
            answers.append(answer)
        self._transport.write(b"".join(answers))
        if len(self._buffer) > _MAX_BYTES or answers[-1:] == [_BYE]:
            self._transport.close()

    def _read(self) -> bytes | None:
        """Take one command or one text from the buffer; None until there is a whole one."""
        mark = _DOT if self._in_text else b"\r\n"
        end = self._buffer.find(mark)
        if end < 0:
            return None
        verb = bytes(self._buffer[:4]).upper()
        del self._buffer[: end + len(mark)]
        if self._in_text:
            self._in_text = False
            Sink.taken += 1
            return b"250 2.0.0 taken\r\n"
        self._in_text = verb == b"DATA"
        return _ANSWERS.get(verb, b"250 2.0.0 OK\r\n")


_BYE = b"221 2.0.0 bye\r\n"
_ANSWERS = {
    b"EHLO": b"250-sink\r\n250-PIPELINING\r\n250-SIZE 4194304\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
    b"DATA": b"354 go on\r\n",
    b"QUIT": _BYE,
}


async def main() -> None:
    """Listen, and answer counts until standard input closes."""
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
    async with server:
        print(server.sockets[0].getsockname()[1], flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(Sink.taken, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
