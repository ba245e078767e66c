"""What the gateway was asked and what it promised, written down by the client, outside the product."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from tests.faults.house import GONE, House, Member
from tests.faults.journal import Journal

_AT_ONCE: Final = 32
_PAUSE_SECONDS: Final = 0.05
_AGAIN: Final = frozenset({409, 429, 503})
"""Answers after which the same post may be made once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one post came to."""

    status: int | None
    """None when no answer came."""
    seconds: float
    replayed: bool = False
    retry_after: str | None = None


_NO_ANSWER: Final = Answer(status=None, seconds=0.0)


@dataclass(slots=True)
class Ledger:
    """Each post is on disk before it is made, each answer before anybody acts on it."""

    journal: Journal
    house: House
    promised: dict[str, str] = field(default_factory=dict)
    """Key → the id that a 202 named."""
    uncertain: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """Posts without a final answer: to be repeated with their key."""
    broken: list[str] = field(default_factory=list)
    """Promises that the gateway did not keep, in words."""
    _turn: int = 0

    async def post(self, key: str, body: Mapping[str, Any], at: Member | None = None) -> Answer:
        """Post once, at the web process whose turn it is or at the one that is named."""
        await self._write({"ask": key, "body": body})
        self.uncertain[key] = body
        began = time.monotonic()
        try:
            async with self.house.session.post(
                f"{self._web() if at is None else at.url}/v1/messages",
                json=body,
                headers={**self.house.headers, "Idempotency-Key": key},
            ) as response:
                told = await response.json()
        except GONE:
            return _NO_ANSWER
        seconds = time.monotonic() - began
        replayed = response.headers.get("Idempotent-Replayed") == "true"
        await self._write({"answer": key, "status": response.status, "id": told.get("id"), "replayed": replayed})
        self._learn(key, response.status, told)
        return Answer(
            status=response.status,
            seconds=seconds,
            replayed=replayed,
            retry_after=response.headers.get("Retry-After"),
        )

    async def post_batch(self, bodies: Mapping[str, Mapping[str, Any]]) -> bool:
        """Post many in one request, each with its own key; False when it was not answered with 202."""
        await self._write({"ask": list(bodies), "body": next(iter(bodies.values()))})
        self.uncertain |= bodies
        items = [{**body, "idempotency_key": key} for key, body in bodies.items()]
        try:
            async with self.house.session.post(
                f"{self._web()}/v1/messages/batch", json={"messages": items}, headers=self.house.headers
            ) as response:
                told = await response.json()
        except GONE:
            return False
        if response.status != 202:
            self._learn(next(iter(bodies)), response.status, told)
            return False
        taken = [item.get("message") for item in told["items"]]
        await self._write({"answer": list(bodies), "ids": [message and message["id"] for message in taken]})
        for key, message, item in zip(bodies, taken, told["items"], strict=True):
            self._learn(key, 202 if message else 422, message or item)
        return True

    async def settle(self, seconds: float = 60.0) -> None:
        """Repeat every uncertain post until it is answered for good."""
        deadline = time.monotonic() + seconds
        while self.uncertain and time.monotonic() < deadline:
            first = list(self.uncertain.items())[:_AT_ONCE]
            await asyncio.gather(*[self.post(key, body) for key, body in first])
            if any(key in self.uncertain for key, _ in first):
                await asyncio.sleep(_PAUSE_SECONDS)
        if self.uncertain:
            self.broken.append(f"{len(self.uncertain)} posts were not answered within {seconds:g} s")

    def _learn(self, key: str, status: int, told: Mapping[str, Any]) -> None:
        if status == 202:
            earlier = self.promised.setdefault(key, told["id"])
            if earlier != told["id"]:
                self.broken.append(f"{key} was {earlier} and is {told['id']}")
            self.uncertain.pop(key, None)
        elif status not in _AGAIN:
            self.broken.append(f"{key} got {status}: {told}")
            self.uncertain.pop(key, None)

    def _web(self) -> str:
        running = [member.url for member in self.house.webs if member.is_running]
        every = running or [member.url for member in self.house.webs]
        self._turn += 1
        return str(every[self._turn % len(every)])

    async def _write(self, entry: Mapping[str, Any]) -> None:
        await self.journal.keep({"at": time.time(), **entry})


def note(chance: random.Random, *channels: str) -> dict[str, Any]:
    """A message on one of these channels: e-mail goes to the stub, text and push to the mailbox."""
    return {
        "template": "note",
        "data": {"text": "hello"},
        "channels": [chance.choice(channels)],
        "to": {"email": "amina@example.org", "phone": "+33612345678", "push": [{"platform": "fcm", "token": "device"}]},
    }


@asynccontextmanager
async def traffic(
    ledger: Ledger, prefix: str, chance: random.Random, *channels: str, callers: int = 8
) -> AsyncIterator[None]:
    """Callers that post without a pause while the block lasts, now and then the same once more."""
    stopping = asyncio.Event()

    async def call(caller: int) -> None:
        number = 0
        while not stopping.is_set():
            key, body = f"{prefix}-{caller}-{number}", note(chance, *channels)
            number += 1
            for _ in range(chance.choice([1, 1, 1, 2])):
                if (await ledger.post(key, body)).status in (None, 503):
                    await asyncio.sleep(_PAUSE_SECONDS)

    tasks = [asyncio.create_task(call(caller)) for caller in range(callers)]
    try:
        yield
    finally:
        stopping.set()
        await asyncio.gather(*tasks)


async def post_all(ledger: Ledger, bodies: Mapping[str, Mapping[str, Any]]) -> None:
    """Post these at once and see each of them promised."""
    for answer in await asyncio.gather(*[ledger.post(key, body) for key, body in bodies.items()]):
        assert answer.status == 202, answer
