"""The seam to a provider: one account that takes rendered deliveries."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Protocol, runtime_checkable

from gateway.domain.ids import AttemptId, DeliveryId
from gateway.domain.messages import Content, Envelope, SendResult
from gateway.domain.receipts import Receipt
from gateway.domain.recipients import Channel, PushPlatform
from gateway.domain.values import Discreet, Value


class Capabilities(Value, frozen=True, kw_only=True):
    """What a provider can do, as data for the router, the docs and the conformance kit."""

    channels: frozenset[Channel]
    platforms: frozenset[PushPlatform] = frozenset(PushPlatform)
    """Of push: whose devices it reaches. A call holds these alone, and its answer tells of each, in their order."""
    idempotent: bool = False
    """A second call with the same delivery id is known to send nothing twice."""
    receipts: bool = True
    """Whether it later tells what became of a message; without, `sent` is the honest end."""
    concurrency: int = 16
    """How many calls may be under way at once."""
    counts_by_sender: bool = False
    """How much may be sent in so long it counts for each sender, not for the account."""
    takes_mime: bool = False
    """It wants the whole e-mail as bytes."""


class Provider(Protocol):
    """One configured account at one provider."""

    @property
    def name(self) -> str:
        """The configured name, such as `smtp-main`."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""

    async def send(self, envelope: Envelope) -> SendResult:
        """Make one call and classify its answer; never retries, waits or raises for a provider's answer."""

    async def aclose(self) -> None:
        """Close connections; safe to call twice."""


@runtime_checkable
class StatusSource(Protocol):
    """A provider that can be asked what became of a message, for receipts that were lost."""

    async def fetch_status(self, provider_message_id: str) -> Receipt | None:
        """What it knows now of a message that it took; None where it cannot say now. Never raises for its answer."""


class LostCall(Discreet, frozen=True, kw_only=True):
    """A call whose answer was lost, by what the provider may know it by."""

    unshown: ClassVar = frozenset({"to", "sender", "content"})

    delivery_id: DeliveryId
    attempt_id: AttemptId
    to: str
    sender: str
    content: Content
    """As it was sent, but for secret values, which are ••••."""
    began: datetime
    ended: datetime
    """When we gave up on it; of a process that died, when that was noticed."""


class Candidate(Value, frozen=True, kw_only=True):
    """A message that a provider has and that a lost call may have made."""

    receipt: Receipt
    """What became of it; it names the provider's id."""
    reads_the_same: bool
    """It carries the call's own text; another one may still be ours, spelled otherwise on its way."""


@runtime_checkable
class Searchable(Protocol):
    """A provider whose messages can be looked through for one whose answer was lost."""

    async def find(self, call: LostCall) -> Sequence[Candidate] | None:
        """Every message that the call may have made; none where it was not taken. Never raises for its answer.

        None where the provider cannot say now: an empty answer is a promise that a second call makes no second message.
        """


@runtime_checkable
class Recallable(Protocol):
    """A provider that can take back what it has not passed on yet."""

    async def cancel(self, provider_message_id: str) -> bool:
        """Take a message back; True where it is known that nobody gets it. Never raises for its answer."""


class Fitness(StrEnum):
    """Whether a provider could take messages now."""

    OK = "ok"
    DOWN = "down"
    """It does not answer, or with an error of its own: another try may fare better."""
    MISCONFIGURED = "misconfigured"
    """It refuses us: credentials, account or address."""


class ProbeResult(Value, frozen=True, kw_only=True):
    """What a probe came to."""

    fitness: Fitness
    detail: str | None = None
    """The provider's words, without secrets."""


@runtime_checkable
class Probed(Protocol):
    """A provider that can be asked whether it would take messages, without sending one."""

    async def health(self) -> ProbeResult:
        """Ask it once. Never raises for its answer."""
