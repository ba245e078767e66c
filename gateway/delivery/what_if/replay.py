"""The traffic of a period played again under other terms, beside the terms in force; nothing is changed by it.

People are independent of each other, so that their deliveries are laid out in some files by person and played file by
file: the memory that it takes is that of one of them.
"""

import asyncio
import pickle
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from typing import IO, Final

from gateway.delivery.dispatching.facts import Terms
from gateway.delivery.what_if.comparison import Comparison
from gateway.delivery.what_if.simulation import Recorded, Simulation
from gateway.domain.rules import Calendar
from gateway.domain.values import replace
from gateway.ports import Claim, DispatchStore, TrafficStore

_PAGE: Final = 200
_FILES: Final = 64
_CALENDAR: Final = {
    Calendar.DAY: timedelta(days=2),
    Calendar.WEEK: timedelta(days=8),
    Calendar.MONTH: timedelta(days=32),
}
"""A period of anybody's calendar ends within so long."""
Told = Callable[[int], None]
"""Told how much is done."""
Begin = Callable[[str, int], Told]
"""Begins a step of so many parts."""


class Replay:
    """Plays recorded traffic under the terms in force and under others."""

    def __init__(self, *, traffic: TrafficStore, store: DispatchStore, terms: Terms, others: Terms) -> None:
        self._traffic = traffic
        self._store = store
        self._terms = terms
        self._others = others

    async def run(self, since: datetime, until: datetime, begin: Begin) -> Comparison:
        """Compare what becomes of every delivery accepted from one instant until just before another.

        What was accepted a while before is read too: its slots under caps count.
        """
        start, comparison = self._from(since), Comparison()
        with ExitStack() as stack:
            files = [stack.enter_context(tempfile.TemporaryFile(prefix="heliograph-replay-")) for _ in range(_FILES)]
            read = begin("Reading", await self._traffic.count(start, until))
            deliveries = await self._lay_out(start, since, until, files, read)
            done, played = 0, begin("Playing", deliveries)
            for file in files:
                done += await asyncio.to_thread(self._play, file, comparison)
                played(done)
        return comparison

    def _from(self, since: datetime) -> datetime:
        caps = [*self._terms.rules.caps, *self._others.rules.caps]
        periods = [cap.per if isinstance(cap.per, timedelta) else _CALENDAR[cap.per] for cap in caps]
        return since - max(periods, default=timedelta(0))

    async def _lay_out(
        self, start: datetime, since: datetime, until: datetime, files: Sequence[IO[bytes]], read: Told
    ) -> int:
        """Write every delivery to the file of its person; how many there are."""
        messages, deliveries, after = 0, 0, None
        while True:
            claims, number, after = await self._traffic.page(start, until, _PAGE, after)
            found = await self._store.facts(claims) if claims else {}
            for claim in claims:
                stored, counts = found[claim.delivery.id], claim.message.created_at >= since
                recorded = Recorded(claim=_slim(claim), stored=stored, counts=counts)
                _write(files[_file_of(recorded)], recorded)
            messages += number
            deliveries += len(claims)
            read(messages)
            if after is None:
                return deliveries

    def _play(self, file: IO[bytes], comparison: Comparison) -> int:
        """Play one file; how many deliveries were in it."""
        people: dict[str, list[Recorded]] = {}
        for recorded in _read(file):
            people.setdefault(_person(recorded), []).append(recorded)
        for of_person in people.values():
            before = dict(Simulation(of_person, self._terms).run())
            after = dict(Simulation(of_person, self._others).run())
            for place, recorded in enumerate(of_person):
                if recorded.counts:
                    comparison.add(recorded, before[place], after[place])
        return sum(map(len, people.values()))


def _slim(claim: Claim) -> Claim:
    """Without what no rule looks at."""
    return replace(claim, message=replace(claim.message, data={}, secrets={}, metadata={}, attachments=()))


def _person(recorded: Recorded) -> str:
    """Whom caps count for; who has neither id nor address is nobody else."""
    return next(iter(recorded.stored.subjects), recorded.claim.message.id)


def _file_of(recorded: Recorded) -> int:
    return zlib.crc32(_person(recorded).encode()) % _FILES


def _write(file: IO[bytes], recorded: Recorded) -> None:
    pickle.dump(recorded, file, pickle.HIGHEST_PROTOCOL)


def _read(file: IO[bytes]) -> Iterator[Recorded]:
    file.seek(0)
    with suppress(EOFError):
        while True:
            # The file has no name: nobody else can have written to it.
            yield pickle.load(file)  # noqa: S301
