"""A closed-loop HTTP load generator, run as its own process: cheap enough not to be what is measured.

    python -m benchmarks.load HOST PORT PATH CONNECTIONS SECONDS [KEY] < bodies

The bodies, one to a line, are posted in turn.
Prints one line of JSON: answers per second after a warm-up of a fifth of the time, statuses, and latencies.
"""

import asyncio
import json
import secrets
import sys
import time
from collections import Counter
from collections.abc import Sequence
from itertools import cycle

_LAST_ANSWERS_SECONDS = 20.0


class Caller(asyncio.Protocol):
    """One kept connection that posts again as soon as it was answered."""

    def __init__(self, tally: "Tally") -> None:
        self._tally = tally
        self._received = bytearray()
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._post()

    def _post(self) -> None:
        assert self._transport is not None
        self._sent_at = time.perf_counter()
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
        self._tally.answered(int(self._received[9:12]), time.perf_counter() - self._sent_at)
        self._received.clear()
        if self._tally.is_open:
            self._post()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Tally:
    """What was answered, counted once the warm-up is over."""

    def __init__(self, head: bytes, bodies: Sequence[bytes]) -> None:
        self.is_open = True
        self.all_answered = asyncio.Event()
        """Set by the last answer after the last post."""
        self.counting = False
        self.unanswered = 0
        self.statuses: Counter[int] = Counter()
        self.latencies: list[float] = []
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


async def generate(  # noqa: PLR0917
    host: str, port: int, head: bytes, bodies: Sequence[bytes], connections: int, seconds: float
) -> dict[str, object]:
    """Post from all connections at once for the given time."""
    tally = Tally(head, bodies)
    loop = asyncio.get_running_loop()
    callers = []
    for _ in range(connections):
        _, caller = await loop.create_connection(lambda: Caller(tally), host, port)
        callers.append(caller)
    await asyncio.sleep(seconds / 5)
    tally.counting = True
    started = time.perf_counter()
    await asyncio.sleep(seconds)
    tally.counting = False
    elapsed = time.perf_counter() - started
    tally.is_open = False
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
    """Read the body from standard input and print the outcome."""
    host, port, path, connections, seconds, *key = sys.argv[1:]
    bodies = sys.stdin.buffer.read().splitlines()
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", "Content-Type: application/json"]
    if key:
        lines.append(f"Authorization: Bearer {key[0]}")
    head = ("\r\n".join(lines) + "\r\n").encode()
    print(json.dumps(asyncio.run(generate(host, int(port), head, bodies, int(connections), float(seconds)))))


if __name__ == "__main__":
    main()
