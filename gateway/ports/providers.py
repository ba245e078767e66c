"""The seam to a provider: one account that takes rendered deliveries."""

from enum import StrEnum
from typing import Protocol, runtime_checkable

from gateway.domain.messages import Envelope, SendResult
from gateway.domain.receipts import Receipt
from gateway.domain.recipients import Channel, PushPlatform
from gateway.domain.values import Value


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
