"""The queue of record: claims under a lease, fenced writes, and who is alive."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from gateway.domain.ids import ConsentId, DeliveryId, SuppressionId, WorkerId
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import Attempt, Content, Delivery, Event, Lane, Message, Versions
from gateway.domain.preferences import Consent, Suppression
from gateway.domain.recipients import Recipient
from gateway.domain.slots import SlotNeed, WaitingDelivery
from gateway.domain.spending import Buckets, Charge
from gateway.domain.values import Value, field
from gateway.ports.accepting import NewDelivery


class StoredFacts(Value, frozen=True, kw_only=True):
    """What the store holds that policy asks for, for one claim."""

    recipient: Recipient | None
    consents: tuple[Consent, ...]
    suppressions: tuple[Suppression, ...]
    subjects: tuple[str, ...] = ()
    """Whom caps count for, as pseudonyms: the person where there is an id, else each address on the channel."""
    slots: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """By a cap's counter, when others' slots were taken, newest first, as `to_micros` counts; not read where no cap may
    apply."""
    waiting: tuple[WaitingDelivery, ...] = ()
    """What else is held or queued for them; read with the slots."""
    service: str = ""
    """The service's name; read where limits on spending are set, as is `spent`."""
    spent: Mapping[str, Buckets] = field(default_factory=dict)
    """By the counters of limits on spending, what was spent."""


class Claim(Value, frozen=True, kw_only=True):
    """A delivery that is this worker's alone while its lease lasts; `fence` proves it on every write."""

    delivery: Delivery
    message: Message
    fence: int
    failed_claims: int = 0
    """How many claims of it ended with their worker, or with their job, before a provider was called."""
    facts: StoredFacts | None = None
    """As they stood when it was claimed; None where they could not be read."""


class Reservation(Value, frozen=True, kw_only=True):
    """The intent to call a provider: committed before the call, so that a lost answer is never a blind resend."""

    claim: Claim
    attempt: Attempt
    beside: tuple[Attempt, ...] = ()
    """The calls at the same time to the providers of other devices, in the order of their numbers."""
    content: Content
    """As it will be sent, secret values masked."""
    sender: str
    addresses: tuple[str, ...]
    """Where the call will go: one address, or each device's."""
    suppressions_seen: frozenset[SuppressionId] = frozenset()
    """Those that the decision was made with; any other that forbids the message refuses the reservation."""
    consents_seen: frozenset[ConsentId] = frozenset()
    """The lines that it was made with; any other of the person about the topic refuses the reservation."""
    versions: Versions
    events: tuple[Event, ...]
    subjects: tuple[str, ...] = ()
    """Whose counters the slots are taken from."""
    slots: tuple[SlotNeed, ...] = ()
    """Taken all, or the reservation is refused."""
    charges: tuple[Charge, ...] = ()
    """Counted all, or the reservation is refused."""


class Step(Value, frozen=True, kw_only=True):
    """What one claim came to: the delivery's next status, and what else changes with it, in one transaction."""

    claim: Claim
    status: DeliveryStatus
    reason: str | None = None
    due_at: datetime | None = None
    """When it may be claimed again; None when nothing more is to be done."""
    not_before: datetime | None = None
    """The earliest instant at which it may go, where it is due only after that; else it is `due_at`."""
    attempt: Attempt | None = None
    """The finished attempt; None where no provider was called, which also takes back an attempt that was reserved."""
    beside: tuple[Attempt, ...] = ()
    """The finished calls at the same time to the providers of other devices."""
    provider_message_id: str | None = None
    events: tuple[Event, ...] = ()
    next_delivery: NewDelivery | None = None
    """Under `first`: the fallback on the next channel."""
    suppressions: tuple[Suppression, ...] = ()
    """The addresses that the providers' answers condemn."""
    drop_secrets: bool = False
    """The message is final: forget the secret variables' values."""
    subjects: tuple[str, ...] = ()
    """Whom it is for: what waits is found by it when something about them changes."""
    seen: StoredFacts | None = None
    """What a hold was decided on; where the store holds something else by now, it is due again at once."""
    frees_slots: bool = False
    """Nothing was sent: its slots are given back, and who waits for one is looked at again."""
    refunds: bool = False
    """Nothing was sent: what the call counted to limits on spending is given back."""

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """All finished calls."""
        return () if self.attempt is None else (self.attempt, *self.beside)


class DispatchStore(Protocol):
    """The queue of record: claims under a lease, fenced writes."""

    async def claim(self, worker: WorkerId, limit: int, now: datetime, lowest: Lane = Lane.LOW) -> Sequence[Claim]:
        """Take up to `limit` due deliveries, each to exactly one worker: the most urgent lane first, in a lane the
        services in turn, of a service the oldest first, with what policy asks for.

        None below the lane `lowest` is taken: so that places kept for urgent work stay theirs.
        """

    async def facts(self, claims: Sequence[Claim], *, slots: bool = False) -> Mapping[DeliveryId, StoredFacts]:
        """Recipients, consents and suppressions for all claims, in a few queries.

        The slots that were taken are read where a cap in force may apply, and with `slots` for all.
        """

    async def reserve(self, reservation: Reservation) -> bool:
        """Mark `sending` and write the attempt; False when the claim is lost, a suppression or the person's word came
        between, or a cap is used up."""

    async def record(self, step: Step) -> bool:
        """Write a step and give the claim back; False when it is no longer ours (nothing was written)."""

    async def note_failed_claims(self, claim: Claim, count: int) -> None:
        """Write down how many claims of it count as failed; nothing happens where the claim is lost."""

    async def next_due(self) -> datetime | None:
        """When the next waiting delivery falls due; None when nothing waits."""

    async def catch_up(self, now: datetime, latest: datetime) -> int:
        """After the wall clock was set back: what waits for nothing is due now, no retry later than `latest`.

        How many were late. What a caller or policy put off keeps its instant.
        """


class LeaseStore(Protocol):
    """Who is alive: a worker that stops beating loses its claims."""

    async def join(self, worker: WorkerId) -> None:
        """Enter the book of workers."""

    async def beat(self, worker: WorkerId) -> bool:
        """Say that it lives; False when it was struck off meanwhile and must stop and join anew."""

    async def leave(self, worker: WorkerId) -> None:
        """Give back every claim that is not `sending` and strike it off."""

    async def count(self) -> int:
        """How many workers are in the book."""

    async def release_dead(self, worker: WorkerId, now: datetime) -> int:
        """Strike off workers that died, as `worker` sees them; how many claims were released.

        Claims not yet `sending` can be claimed again at once. `sending` ones become `unknown`, due soon to be looked
        after, or `queued` where the provider is idempotent.
        """

    async def release_forgotten(self, worker: WorkerId, held: Collection[DeliveryId], now: datetime) -> int:
        """Release the claims of `worker` on all but the `held` deliveries, as those of a dead one; how many."""
