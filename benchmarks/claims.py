"""How fast deliveries are claimed, a hundred at a time, when a million wait, and when ten thousand do."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path
from typing import Final

from benchmarks import measure
from benchmarks.backlog import fill
from benchmarks.measure import Effort
from benchmarks.posts import bodies
from benchmarks.processes import load, start
from benchmarks.scaled import SHARED_BUFFERS
from gateway.bootstrap.stores import SystemClock
from gateway.domain import ids
from gateway.domain.ids import WorkerId
from gateway.storage.store import open_store
from tests.servers import start_postgres

GOAL = "at least 0.8 of the rate with ten thousand (stretch 0.95)"
SMALL, LARGE = 10_000, 1_000_000
BATCH: Final = 100
BATCHES: Final = 30


def main(effort: Effort) -> None:
    """Run the rounds on each engine and print the ratios."""
    sizes = (effort.part(SMALL, least=4_000), effort.part(LARGE, least=8_000))
    for engine, databases in (("SQLite", _sqlite_urls), ("PostgreSQL", _postgres_urls)):
        with databases() as urls:
            for url, size in zip(urls, sizes, strict=True):
                _make(url, size)
            rows = asyncio.run(_measure(urls, effort))
        measure.print_heading(f"Claims of {BATCH} on {engine}", rounds=len(rows), goal=GOAL)
        small, large = measure.medians(rows)
        measure.print_rows(
            ("claimed a second",), {f"{sizes[0]:,} waiting": (small,), f"{sizes[1]:,} waiting": (large,)}
        )
        measure.print_ratio("large / small", [large / small for small, large in rows])


@contextmanager
def _sqlite_urls() -> Iterator[tuple[str, str]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="heliograph-bench-")))
        for name in ("small", "large"):
            (folder / name).mkdir()
        yield f"sqlite:///{folder}/small/store.db", f"sqlite:///{folder}/large/store.db"


@contextmanager
def _postgres_urls() -> Iterator[tuple[str, str]]:
    with start_postgres(durable=True, shared_buffers=SHARED_BUFFERS) as server:
        yield server.create_database(), server.create_database()


def _make(url: str, size: int) -> None:
    with start("servers", "gateway", url) as gateway:
        load(gateway, bodies(), 0.3)
    fill(url, size)


async def _measure(urls: tuple[str, str], effort: Effort) -> list[tuple[float, float]]:
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        subjects = []
        for url in urls:
            store = await stack.enter_async_context(open_store(url, clock))
            worker = WorkerId(ids.make_id(ids.WORKER, clock.now()))
            await store.leases.join(worker)
            subjects.append((store, worker))
        rows = []
        for _ in range(effort.rounds + 1):
            rates = []
            for store, worker in subjects:
                began = time.perf_counter()
                taken = 0
                for _ in range(BATCHES):
                    taken += len(await store.dispatch.claim(worker, BATCH, clock.now()))
                rates.append(taken / (time.perf_counter() - began))
                assert taken == BATCH * BATCHES, taken
                await store.leases.release_forgotten(worker, (), clock.now())
            rows.append((rates[0], rates[1]))
    # The first round warms the caches of both.
    return rows[1:]
