"""An HTTP load generator, run as its own process: cheap enough not to be what is measured.

    python -m benchmarks.load HOST PORT PATH CONNECTIONS SECONDS [KEY] [--rate N] < bodies

The bodies, one to a line, are posted in turn: by each connection as soon as it was answered, or, with a rate, at
instants that do not depend on the answers; a latency then counts from the instant that was planned, so that a slow
server cannot hide behind posts that were not made. Prints one line of JSON: answers per second after a warm-up of a
fifth of the time, statuses, and latencies.
"""

import argparse
import asyncio
import json
import secrets
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from itertools import cycle

_LAST_ANSWERS_SECONDS = 20.0


class Caller(asyncio.Protocol):
    """One kept connection; posts one request at a time."""

    def __init__(self, tally: "Tally") -> None:
        self._tally = tally
        self._received = bytearray()
        self._since = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def post(self, since: float) -> None:
        """Post the next body; its latency counts from `since`."""
        assert self._transport is not None
        self._since = since
        self._transport.write(self._tally.next_request())

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        length_at = self._received.lower().find(b"content-length:", 0, end)
        length = int(self._received[length_at + 15 : self._received.index(b"\r", length_at)])
        if len(self._received) < end + 4 + length:
            return
        self._tally.answered(int(self._received[9:12]), time.perf_counter() - self._since)
        self._received.clear()
        self._tally.free(self)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Tally:
    """What was posted and answered; latencies count once the warm-up is over."""

    def __init__(self, head: bytes, bodies: Sequence[bytes], *, is_paced: bool) -> None:
        self.is_open = True
        self.all_answered = asyncio.Event()
        """Set by the last answer after the last post."""
        self.counting = False
        self.unanswered = 0
        self.statuses: Counter[int] = Counter()
        self.latencies: list[float] = []
        self._is_paced = is_paced
        self._idle: deque[Caller] = deque()
        self._late: deque[float] = deque()
        """Planned instants for which no connection was free."""
        self._prefix = secrets.token_hex(8).encode()
        self._posted = 0
        self._requests = cycle((b"%bContent-Length: %d\r\n" % (head, len(body)), body) for body in bodies)

    def next_request(self) -> bytes:
        """The next body in turn, with a key of its own."""
        self._posted += 1
        self.unanswered += 1
        head, body = next(self._requests)
        return b"%bIdempotency-Key: %b-%d\r\n\r\n%b" % (head, self._prefix, self._posted, body)

    def answered(self, status: int, seconds: float) -> None:
        self.unanswered -= 1
        if not self.is_open and not self.unanswered:
            self.all_answered.set()
        self.statuses[status] += 1
        if self.counting:
            self.latencies.append(seconds)

    def free(self, caller: Caller) -> None:
        """A connection may post again."""
        if not self.is_open:
            return
        if not self._is_paced:
            caller.post(time.perf_counter())
        elif self._late:
            caller.post(self._late.popleft())
        else:
            self._idle.append(caller)

    def due(self, planned: float) -> None:
        """A post was planned for this instant."""
        if self._idle:
            self._idle.popleft().post(planned)
        else:
            self._late.append(planned)


async def _pace(tally: Tally, rate: float) -> None:
    """Plan a post every `1 / rate` seconds, whatever became of those before."""
    planned = time.perf_counter()
    while tally.is_open:
        now = time.perf_counter()
        while planned <= now:
            tally.due(planned)
            planned += 1 / rate
        await asyncio.sleep(min(planned - now, 0.001))


async def generate(  # noqa: PLR0917
    host: str, port: int, head: bytes, bodies: Sequence[bytes], connections: int, seconds: float, rate: float = 0.0
) -> dict[str, object]:
    """Post over all connections for the given time; at a fixed rate where one is given."""
    tally = Tally(head, bodies, is_paced=rate > 0)
    loop = asyncio.get_running_loop()
    callers = []
    for _ in range(connections):
        _, caller = await loop.create_connection(lambda: Caller(tally), host, port)
        callers.append(caller)
    for caller in callers:
        tally.free(caller)
    pacing = asyncio.create_task(_pace(tally, rate)) if rate else None
    await asyncio.sleep(seconds / 5)
    tally.counting = True
    started = time.perf_counter()
    await asyncio.sleep(seconds)
    tally.counting = False
    elapsed = time.perf_counter() - started
    tally.is_open = False
    if pacing is not None:
        await pacing
    if tally.unanswered:
        async with asyncio.timeout(_LAST_ANSWERS_SECONDS):
            await tally.all_answered.wait()
    for caller in callers:
        caller.close()
    latencies = sorted(tally.latencies) or [0.0]
    return {
        "answered": tally.statuses.total(),
        "per_second": len(tally.latencies) / elapsed,
        "statuses": {str(status): count for status, count in tally.statuses.items()},
        "p50_ms": 1000 * latencies[len(latencies) // 2],
        "p99_ms": 1000 * latencies[int(len(latencies) * 0.99)],
    }


def main() -> None:
    """Read the bodies from standard input and print the outcome."""
    parser = argparse.ArgumentParser(prog="benchmarks.load")
    for name, kind in (("host", str), ("port", int), ("path", str), ("connections", int), ("seconds", float)):
        parser.add_argument(name, type=kind)
    parser.add_argument("key", nargs="?")
    parser.add_argument("--rate", type=float, default=0.0)
    given = parser.parse_args()
    bodies = sys.stdin.buffer.read().splitlines()
    lines = [f"POST {given.path} HTTP/1.1", f"Host: {given.host}", "Content-Type: application/json"]
    if given.key:
        lines.append(f"Authorization: Bearer {given.key}")
    head = ("\r\n".join(lines) + "\r\n").encode()
    done = generate(given.host, given.port, head, bodies, given.connections, given.seconds, given.rate)
    print(json.dumps(asyncio.run(done)))


if __name__ == "__main__":
    main()
