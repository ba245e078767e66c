"""Shared stand-ins for ports: a clock that one sets and a provider that answers as scripted."""

import asyncio
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from gateway.domain.messages import Envelope, Outcome, SendResult
from gateway.domain.recipients import Channel, PushPlatform
from gateway.ports import Capabilities
from tests.factories import NOW


class SetClock:
    """A clock that moves only when told; both its hands move together unless one is set apart."""

    def __init__(self, now: datetime = NOW) -> None:
        self._now = now
        self._monotonic = 1000.0

    def now(self) -> datetime:
        """The wall clock."""
        return self._now

    def monotonic(self) -> float:
        """The other hand, which never steps back."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def set_back(self, seconds: float) -> None:
        """Step the wall clock back, as an operator or NTP would."""
        self._now -= timedelta(seconds=seconds)


Answer = SendResult | Callable[[Envelope], SendResult]
"""What a scripted provider says: a result, or one that depends on the envelope."""


class ScriptedProvider:
    """Answers each call with the next of its script, then for ever with the last; keeps what it was given."""

    def __init__(
        self,
        name: str = "scripted",
        *script: Answer,
        idempotent: bool = False,
        receipts: bool = True,
        concurrency: int = 16,
        platforms: Collection[PushPlatform] = frozenset(PushPlatform),
    ) -> None:
        self.name = name
        self.capabilities = Capabilities(
            channels=frozenset(Channel),
            platforms=frozenset(platforms),
            idempotent=idempotent,
            receipts=receipts,
            concurrency=concurrency,
        )
        self.envelopes: list[Envelope] = []
        self.open = asyncio.Event()
        """Cleared, it keeps every call waiting."""
        self.open.set()
        self.most_at_once = 0
        self._at_once = 0
        self._script = list(script) or [SendResult(outcome=Outcome.SENT, provider_message_id="scripted-1")]

    async def send(self, envelope: Envelope) -> SendResult:
        """Keep the envelope and answer as scripted."""
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        self.envelopes.append(envelope)
        try:
            await self.open.wait()
        finally:
            self._at_once -= 1
        answer = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        return answer if isinstance(answer, SendResult) else answer(envelope)

    async def aclose(self) -> None:
        """Nothing is open."""
