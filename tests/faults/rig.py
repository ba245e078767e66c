"""One row of the fault matrix, and the stage on which it is played: a gateway in either mode, providers, a ledger."""

import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from tests.faults.house import House, Mode, open_house
from tests.faults.journal import Journal
from tests.faults.judge import MOVING, Allowed, Verdict, judge
from tests.faults.ledger import Answer, Ledger, note
from tests.faults.provider import Stub, open_stub
from tests.faults.stores import PostgresView, SqliteView, StoreView, statuses_of
from tests.servers import PostgresServer, ValkeyServer, start_postgres, start_valkey
from tests.waiting import eventually

BOTH: Final = frozenset(Mode)
_WEBS: Final = 2
_WORKERS: Final = 2
CONNECTIONS: Final = 10
"""How many calls one worker makes to the stub at once."""


class Servers:
    """PostgreSQL and Valkey for the scaled mode, started when a row first needs them."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._postgres: PostgresServer | None = None
        self._valkey: ValkeyServer | None = None

    @property
    def postgres(self) -> PostgresServer:
        """One that syncs, so that what it committed outlives it."""
        if self._postgres is None:
            self._postgres = self._stack.enter_context(start_postgres(durable=True))
        return self._postgres

    @property
    def valkey(self) -> ValkeyServer:
        """One that keeps nothing on disk."""
        if self._valkey is None:
            self._valkey = self._stack.enter_context(start_valkey())
        return self._valkey


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One gateway with its providers and its client, ready to be hurt."""

    mode: Mode
    servers: Servers
    house: House
    ledger: Ledger
    stub: Stub
    others: tuple[Stub, ...]
    chance: random.Random

    @property
    def in_flight(self) -> int:
        """Deliveries of one worker that may stand as handed over at one instant: under way, or not written down yet."""
        return 2 * CONNECTIONS

    async def post_until(self, status: int, seconds: float) -> tuple[Answer, float]:
        """Post new messages until one gets this status: its answer, and after how many seconds it came."""
        began = time.monotonic()

        async def post() -> Answer:
            key = f"until-{status}-{time.monotonic_ns()}"
            return await self.ledger.post(key, note(self.chance, "email", "sms"))

        return await eventually(post, lambda answer: answer.status == status, seconds), time.monotonic() - began

    async def accepts_again(self, seconds: float) -> None:
        """Wait for a 202, and write down where it took longer than promised."""
        _, took = await self.post_until(202, 4 * seconds)
        if took > seconds:
            self.house.broken.append(f"accepting again after {took:.1f} s")

    async def settled(self, messages: Collection[str], seconds: float) -> None:
        """Wait until the deliveries of these messages move no more."""
        look = partial(statuses_of, self.house.view, messages)
        await eventually(look, lambda found: not MOVING & set(found), seconds)

    async def judge(self, trials: int, allowed: Allowed = Allowed(), seconds: float = 60.0) -> Verdict:  # noqa: B008
        """See `tests.faults.judge`."""
        return await judge(self.house, self.ledger, (self.stub, *self.others), trials, allowed, seconds)


@dataclass(slots=True)
class Stage:
    """Where rows are played: a folder, a mode, chance from a seed."""

    folder: Path
    mode: Mode
    servers: Servers
    chance: random.Random = field(default_factory=lambda: random.Random(20261122))
    _scenes: int = 0

    @asynccontextmanager
    async def scene(
        self,
        *,
        workers: int | None = None,
        relays: int = 1,
        connections: int = CONNECTIONS,
        timeout_seconds: float = 10.0,
        delivery: Mapping[str, Any] | None = None,
        store_folder: Path | None = None,
        started: bool = True,
        clocked: bool = False,
        mailbox: Mapping[str, Any] = MappingProxyType({"kind": "mailbox"}),
        **sections: Any,
    ) -> AsyncIterator[Scene]:
        """A gateway with a key, `started` unless it is told otherwise.

        `workers` is how many processes dispatch: in the embedded mode they are the ones that take posts as well.
        """
        self._scenes += 1
        folder = self.folder / f"scene-{self._scenes}"
        folder.mkdir(parents=True)
        async with AsyncExitStack() as stack:
            stubs = [await stack.enter_async_context(open_stub(folder, f"relay-{n + 1}")) for n in range(relays)]
            given = {**make_sections(stubs, connections, timeout_seconds, delivery or {}, mailbox), **sections}
            view: StoreView
            match self.mode:
                case Mode.EMBEDDED:
                    view, webs, workers = SqliteView((store_folder or folder) / "heliograph.db"), workers or 1, 0
                case Mode.SCALED:
                    view, webs, workers = PostgresView(self.servers.postgres), _WEBS, workers or _WORKERS
                    given["queue"] = {"url": self.servers.valkey.url(self._scenes)}
                    given["security"] = {"secret": "of-the-rig-and-nobody-else"}
            opening = open_house(folder, view, given, webs=webs, workers=workers, clocked=clocked)
            house = await stack.enter_async_context(opening)
            await house.make_key()
            journal = Journal(folder / "ledger.jsonl")
            stack.callback(journal.close)
            ledger = Ledger(journal, house)
            if started:
                await house.start()
            yield Scene(
                mode=self.mode,
                servers=self.servers,
                house=house,
                ledger=ledger,
                stub=stubs[0],
                others=tuple(stubs[1:]),
                chance=self.chance,
            )


def make_sections(
    stubs: list[Stub],
    connections: int,
    timeout_seconds: float,
    delivery: Mapping[str, Any],
    mailbox: Mapping[str, Any],
) -> dict[str, Any]:
    """Settings: e-mail to the stubs in their order, the rest to the mailbox; retries and lost answers take seconds."""
    relay = {
        "kind": "smtp",
        "host": "127.0.0.1",
        "from": "Rig <rig@example.org>",
        "timeout": f"{int(timeout_seconds)}s",
        "connections": connections,
    }
    return {
        "providers": {"mailbox": dict(mailbox), **{stub.name: {**relay, "port": stub.port} for stub in stubs}},
        "routes": [
            {"channel": "email", "providers": [stub.name for stub in stubs]},
            {"channel": "sms", "providers": ["mailbox"]},
            {"channel": "push", "providers": ["mailbox"]},
        ],
        "delivery": {
            "retry_first": "100ms",
            "retry_max": "1s",
            "unknown_after": "2s",
            "shed_after": "7d",
            "attempts": 50,
            **delivery,
        },
    }


Play = Callable[[Stage, int], Awaitable[Verdict]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fault of the matrix: how it is injected, and how often."""

    name: str
    """The matrix's number and a word, such as `F1 kill`."""
    play: Play
    """Injects the fault so many times and judges; the second parameter is the number of trials."""
    short: int
    """Trials in the short form; 0: only on demand."""
    long: int
    modes: frozenset[Mode] = BOTH
    short_modes: frozenset[Mode] = frozenset({Mode.EMBEDDED})
    """In which modes it belongs to the short form."""
    possible: Callable[[], str | None] = lambda: None
    """Why it cannot be shown on this machine; None where it can."""

    def short_trials(self, mode: Mode) -> int:
        """Trials of the short form in a mode."""
        return self.short if mode in self.short_modes else 0
