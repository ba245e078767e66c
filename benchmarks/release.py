"""How a hundred thousand messages that wait for one opening are let go, with one-time codes in between.

The gateway itself holds some thousands of them to the same minute, the rest are copies of these; the opening is real.
Codes are posted one a second while the others go.
"""

import asyncio
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import aiohttp

from benchmarks import measure
from benchmarks.backlog import fill
from benchmarks.measure import Effort
from benchmarks.processes import Server, load, start
from gateway.domain.durations import format_duration

MESSAGES: Final = 100_000
SPAN: Final = timedelta(minutes=5)
PARTS: Final = 10
GOAL: Final = (
    "an even slope over the span, codes called within a second, at most 1.10 of the memory after the first tenth"
)
_LEAD: Final = timedelta(seconds=70)
"""What holding, copying and a start may take before the opening."""
_PATIENCE_SECONDS: Final = 900.0
_SEEDING_SECONDS: Final = 3.0
_CONNECTIONS: Final = 16
_PEOPLE: Final = 1_000
_CODE: Final = {
    "template": "one-time-code",
    "to": {"email": "amina@example.org", "locale": "en"},
    "channels": ["email"],
    "data": {"code": "493028", "minutes": 10},
}
_RULES: Final = """\
policy = {{packs = false, release_over = "{span}"}}
[[quiet_hours]]
name = "until-the-opening"
categories = ["transactional"]
forbid = [{{from = "{start:%H:%M}", to = "{opening:%H:%M}"}}]
"""


@dataclass(slots=True)
class _Seen:
    """What was looked at each second from the opening on."""

    taken: list[tuple[float, int]] = field(default_factory=list)
    """Seconds since the opening, and how many messages had arrived."""
    memory: list[float] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    """Of each code the seconds from its acceptance to its call."""


def main(effort: Effort) -> None:
    """Hold, copy, wait for the opening, and print how they went."""
    wanted, span = effort.part(MESSAGES, least=200), max(SPAN * effort.share, timedelta(seconds=10))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="heliograph-bench-")))
        sink = stack.enter_context(start("sink"))
        opening = _minute_after(datetime.now(UTC) + _LEAD)
        rules = folder / "rules.toml"
        rules.write_text(
            _RULES.format(span=format_duration(span), start=opening - timedelta(hours=12), opening=opening),
            encoding="utf-8",
        )
        key = _hold(folder, sink, rules, effort.seconds / _SEEDING_SECONDS)
        held = fill(f"sqlite:///{folder}/store.db", wanted)
        gateway = stack.enter_context(start("servers", "gateway", str(folder), sink.port, str(rules), key=key))
        seen = asyncio.run(_watch(gateway, sink, held, opening))
    _print(seen, held, span)


def _minute_after(instant: datetime) -> datetime:
    return instant.replace(second=0, microsecond=0) + timedelta(minutes=1)


def _hold(folder: Path, sink: Server, rules: Path, share: float) -> str:
    """Have the gateway hold what it is given for a few seconds; the key that it made."""
    with start("servers", "gateway", str(folder), sink.port, str(rules)) as gateway:
        load(gateway, _orders(), _SEEDING_SECONDS * share, _CONNECTIONS)
        with closing(sqlite3.connect(f"file:{folder}/store.db?mode=ro", uri=True)) as store:
            while store.execute("SELECT count(*) FROM deliveries WHERE status <> 'held'").fetchone()[0]:
                time.sleep(0.1)
        return gateway.key


def _orders() -> Sequence[bytes]:
    data = {"order": "A-1009", "total": {"amount": "129.90", "currency": "CAD"}, "eta": "2026-12-01"}
    return [
        json.dumps(
            {
                "template": "order-shipped",
                "to": {"id": f"reader-{number}", "email": f"reader-{number}@example.org", "timezone": "UTC"},
                "channels": ["email"],
                "data": data,
            }
        ).encode()
        for number in range(_PEOPLE)
    ]


async def _watch(gateway: Server, sink: Server, held: int, opening: datetime) -> _Seen:
    """Look each second, and post a code, until every message has arrived."""
    seen, url = _Seen(), f"http://127.0.0.1:{gateway.port}/v1/messages"
    late = (opening - datetime.now(UTC)).total_seconds()
    if late < 0:
        raise SystemExit(f"the opening was over {-late:.0f} seconds before the gateway had started")
    await asyncio.sleep(late)
    began = time.monotonic()
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {gateway.key}"}) as session:
        while not seen.taken or seen.taken[-1][1] < held + len(seen.codes):
            if time.monotonic() - began > _PATIENCE_SECONDS:
                raise SystemExit(f"only {seen.taken[-1][1]} of {held} messages arrived")
            async with session.post(url, json=_CODE) as response:
                seen.codes.append((await response.json())["id"])
            seen.memory.append(gateway.memory_bytes() / 2**20)
            await asyncio.sleep(1.0)
            seen.taken.append((time.monotonic() - began, sink.ask()))
        for code in seen.codes:
            async with session.get(f"{url}/{code}") as response:
                seen.waited.append(_waited(await response.json()))
    return seen


def _waited(message: Mapping[str, Any]) -> float:
    (delivery,) = message["deliveries"]
    called = datetime.fromisoformat(delivery["attempts"][0]["started_at"])
    return (called - datetime.fromisoformat(message["created_at"])).total_seconds()


def _print(seen: _Seen, held: int, span: timedelta) -> None:
    measure.print_heading(f"{held:,} messages held to one opening, embedded, released over {span}", goal=GOAL)
    parts = [_arrived(seen, span * part / PARTS) for part in range(PARTS + 1)]
    slope = [after - before for before, after in pairwise(parts)]
    print("  arrived in each tenth of the span: " + " ".join(f"{one:,}" for one in slope))
    even = held / (0.9 * PARTS)
    print(f"  the steepest tenth / an even one: {max(slope) / even:.2f}")
    print(f"  time until the last: {seen.taken[-1][0]:.0f} s after the opening")
    print(f"  codes: {len(seen.waited)}, called after {statistics.median(seen.waited):.3f} s (median),"
          f" {max(seen.waited):.3f} s (slowest)")  # fmt: skip
    # By then the store's caches have filled.
    marks = [_memory_at(seen, held * part / PARTS) for part in range(1, PARTS + 1)]
    print("  MiB (PSS) after each tenth of the messages: " + " ".join(f"{mark:.0f}" for mark in marks))
    print(f"\n  most memory / after the first tenth: {max(marks) / marks[0]:.2f}")


def _memory_at(seen: _Seen, arrived: float) -> float:
    looks = zip(seen.memory, seen.taken, strict=True)
    return next((memory for memory, (_, taken) in looks if taken >= arrived), seen.memory[-1])


def _arrived(seen: _Seen, after: timedelta) -> int:
    """How many had arrived so long after the opening."""
    return max((count for seconds, count in seen.taken if seconds <= after.total_seconds()), default=0)
