"""A provider as a process of its own: speaks SMTP, writes each accept to disk before it answers, misbehaves when told.

    python -m tests.faults.stub JOURNAL

Prints its port. Each line of JSON on standard input changes how it behaves (`Manners`, plus `away` and `release`) and
is answered by one line: how often each point of a conversation was reached, and how many conversations are held now.
The journal has one line of JSON for each accept: delivery, instant, recipient, manner.
"""

import asyncio
import json
import random
import re
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from tests.faults.journal import Journal

_DELIVERY: Final = re.compile(rb"^Message-ID: <(dlv_[^@>]+)@", re.IGNORECASE | re.MULTILINE)
_MAX_TEXT: Final = 4 * 1024 * 1024
_BACKLOG: Final = 1024
_DRIP_SECONDS: Final = 0.05
_GONE: Final = (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)


class Point(StrEnum):
    """Where in a conversation one can stand still; each is counted as it is reached."""

    GREETING = "greeting"
    """The client connected; nothing was said."""
    RECEIVED = "received"
    """The text with its final dot has come; nothing was kept of it."""
    ACCEPTED = "accepted"
    """The accept is on disk; nothing was answered."""
    ANSWERED = "answered"
    """The answer has left."""


class Manner(StrEnum):
    """What becomes of a message."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    """Answered with `code` and not kept."""
    LIE = "lie"
    """Kept, and answered with `code` as if it were not."""
    DROP = "drop"
    """Kept, and the connection closed without an answer."""
    DELAY = "delay"
    """Kept, and answered after `seconds`."""
    DRIP = "drip"
    """Kept, and answered one octet at a time."""
    GARBAGE = "garbage"
    """Kept, and answered with what is no reply."""
    RESET = "reset"
    """The connection is reset before the text was read."""
    HANG = "hang"
    """Read, not kept, never answered."""


_NOT_KEPT: Final = frozenset({Manner.REFUSE, Manner.RESET, Manner.HANG})


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How the provider behaves; `share` of the messages meet `manner`, the others are accepted."""

    manner: Manner = Manner.ACCEPT
    share: float = 1.0
    code: int = 451
    seconds: float = 0.0
    pause: float = 0.0
    """How long every answer takes, whatever it is."""
    hold: Point | None = None
    """Where each conversation stands still until it is released."""


class Provider:
    """One relay: its listener, its manners and its counts."""

    def __init__(self, journal: Journal) -> None:
        self.reached: Counter[Point] = Counter()
        self._journal = journal
        self._manners = Manners()
        self._chance = random.Random(1)
        self._released = asyncio.Event()
        self._holding = 0
        self._port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def listen(self) -> int:
        """Take connections, on the same port as before."""
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self._port, limit=_MAX_TEXT, backlog=_BACKLOG
        )
        self._port = int(self._server.sockets[0].getsockname()[1])
        return self._port

    async def leave(self) -> None:
        """Refuse connections and break the open ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def obey(self, command: dict[str, Any]) -> dict[str, object]:
        """Behave as told from now on, and say what was reached."""
        if command.pop("release", False):
            self._released.set()
            self._released = asyncio.Event()
        away = command.pop("away", None)
        if away is True:
            await self.leave()
        elif away is False and self._server is None:
            await self.listen()
        if "manner" in command:
            command["manner"] = Manner(command["manner"])
        if command.get("hold") is not None:
            command["hold"] = Point(command["hold"])
        self._manners = replace(self._manners, **command)
        return {**{point.value: self.reached[point] for point in Point}, "holding": self._holding}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with suppress(*_GONE):
            await self._pass(Point.GREETING, reader)
            writer.write(b"220 stub\r\n")
            await self._converse(reader, writer)
        self._writers.discard(writer)
        writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        recipient = ""
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                if not await self._take(reader, writer, recipient):
                    return
                continue
            if verb == b"RCPT":
                recipient = line.partition(b"<")[2].partition(b">")[0].decode()
            writer.write(_REPLIES.get(verb, b"250 2.0.0 OK\r\n"))
            await writer.drain()
            if verb == b"QUIT":
                return

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, recipient: str) -> bool:
        """One text, from the invitation to the answer; False when the conversation ends with it."""
        manners = self._manners
        manner = manners.manner if self._chance.random() < manners.share else Manner.ACCEPT
        writer.write(b"354 go on\r\n")
        await writer.drain()
        if manner is Manner.RESET:
            return False
        text = await reader.readuntil(b"\r\n.\r\n")
        began = time.time()
        await self._pass(Point.RECEIVED, reader)
        if manner is Manner.HANG:
            await reader.read()
            return False
        if manner not in _NOT_KEPT:
            found = _DELIVERY.search(text)
            delivery = "" if found is None else found[1].decode()
            await self._journal.keep({"delivery": delivery, "at": began, "to": recipient, "manner": manner.value})
            await self._pass(Point.ACCEPTED, reader)
        return await self._answer(manner, manners, writer)

    async def _answer(self, manner: Manner, manners: Manners, writer: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(manners.pause)
        reply = b"250 2.0.0 Ok: queued as STUB1234\r\n"
        if manner in (Manner.REFUSE, Manner.LIE):
            reply = b"%d %d.0.0 not now\r\n" % (manners.code, manners.code // 100)
        elif manner is Manner.GARBAGE:
            reply = b"\x00\xff what?\r\n"
        elif manner is Manner.DROP:
            return False
        elif manner is Manner.DELAY:
            await asyncio.sleep(manners.seconds)
        step = 1 if manner is Manner.DRIP else len(reply)
        for start in range(0, len(reply), step):
            writer.write(reply[start : start + step])
            await writer.drain()
            if manner is Manner.DRIP:
                await asyncio.sleep(_DRIP_SECONDS)
        self.reached[Point.ANSWERED] += 1
        return manners.code != 421 or manner is not Manner.REFUSE

    async def _pass(self, point: Point, reader: asyncio.StreamReader) -> None:
        """Go by a point, or stand still there. Who lost its client meanwhile goes no further."""
        self.reached[point] += 1
        if self._manners.hold is not point:
            return
        self._holding += 1
        try:
            await self._released.wait()
        finally:
            self._holding -= 1
        if reader.at_eof():
            raise ConnectionResetError


_REPLIES: Final = {
    b"EHLO": b"250-stub\r\n250-PIPELINING\r\n250-SIZE 4194304\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n"
    b"250 SMTPUTF8\r\n",
    b"QUIT": b"221 2.0.0 bye\r\n",
}


async def main() -> None:
    """Serve until standard input closes."""
    provider = Provider(Journal(Path(sys.argv[1])))
    print(await provider.listen(), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await provider.obey(json.loads(line))), flush=True)
    await provider.leave()


if __name__ == "__main__":
    asyncio.run(main())
