"""A child's line to the process that supervises it: one JSON value a line, both ways, over a socket pair.

The child says that it is ready, and sends what it measures when asked and every two seconds, so that it is known to
live and little of its count is lost if it is killed. It may ask for the metrics of all. The end of the line means that
the parent is gone, so that no child outlives it.
"""

import asyncio
import json
import socket
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from gateway.errors import Unavailable

READY: Final = "ready"
SNAPSHOT: Final = "snapshot"
"""Asked of a child, and its answer; sent unasked too, as a sign of life."""
WHOLE: Final = "whole"
"""Asked of the parent, and its answer."""
BEAT_SECONDS: Final = 2.0
LONGEST_LINE: Final = 64 * 1024 * 1024
_PATIENCE_SECONDS: Final = 5.0


async def open_line(line: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Streams over one end of the pair."""
    return await asyncio.open_unix_connection(sock=line, limit=LONGEST_LINE)


def say(writer: asyncio.StreamWriter, word: str, value: object = None) -> None:
    """Send one line; who is gone does not hear it."""
    if not writer.is_closing():
        writer.write(json.dumps([word, value]).encode() + b"\n")


async def hear(reader: asyncio.StreamReader) -> tuple[str, object] | None:
    """The next line; None at its end."""
    try:
        line = await reader.readline()
    except (ConnectionError, ValueError):
        return None
    if not line.endswith(b"\n"):
        return None
    word, value = json.loads(line)
    return str(word), value


class Lifeline:
    """The child's end; the socket is the one whose number it was started with."""

    def __init__(self, number: int, *, stop: Callable[[], object], snapshot: Callable[[], object]) -> None:
        self._socket = socket.socket(fileno=number)
        self._stop = stop
        self._snapshot = snapshot
        self._asked: list[asyncio.Future[str]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        reader, self._writer = await open_line(self._socket)
        say(self._writer, READY)
        self._tasks = [asyncio.create_task(self._listen(reader)), asyncio.create_task(self._beat())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._writer.close()

    async def whole(self) -> bytes:
        """The metrics of all processes, in Prometheus text format. Raises Unavailable when the parent is silent."""
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._asked.append(answer)
        say(self._writer, WHOLE)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return (await answer).encode()
        except TimeoutError as error:
            raise Unavailable("the metrics of the other processes did not come in time") from error

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while (heard := await hear(reader)) is not None:
            word, value = heard
            if word == SNAPSHOT:
                say(self._writer, SNAPSHOT, self._snapshot())
            elif word == WHOLE:
                # Whoever asked meanwhile gets the same answer.
                asked, self._asked = self._asked, []
                for answer in asked:
                    if not answer.done():
                        answer.set_result(str(value))
        self._stop()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            say(self._writer, SNAPSHOT, self._snapshot())
