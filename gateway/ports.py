"""The seams of the core: what delivery needs from stores, providers, clocks and doorbells.

Each protocol is small and has one owner; `gateway.bootstrap` names the concrete ones. Batches are shared
inside the stores: callers hand over one thing and await its own answer, which comes when it is durable.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from gateway.domain.ids import DeliveryId, KeyId, MessageId, RecipientId, ServiceId, SuppressionId, WorkerId
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import Attempt, Content, Delivery, Envelope, Event, Lane, Message, SendResult, Versions
from gateway.domain.preferences import Category, Consent, Suppression
from gateway.domain.recipients import Channel, JsonValue, Recipient

T = TypeVar("T")


class Clock(Protocol):
    """Where time comes from; the only one who reads it."""

    def now(self) -> datetime:
        """The wall clock, aware UTC: for due times and records."""

    def monotonic(self) -> float:
        """Seconds that never step back: for leases, back-off and time-outs."""


class Wake(Protocol):
    """The doorbell between accept and dispatch: losing a ring costs a second, two rings cost nothing."""

    def ring(self) -> None:
        """Say that something may be due."""

    async def wait(self, timeout_seconds: float) -> None:
        """Return at the next ring, at once if one came since the last wait, or after the time-out."""


# --- providers -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a provider can do, as data for the router, the docs and the conformance kit."""

    channels: frozenset[Channel]
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


# --- accepting -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Idempotency:
    """A caller's key with what it stands for."""

    key: str
    fingerprint: str
    """SHA-256 of the canonical JSON of the body, hex."""
    answer: Mapping[str, JsonValue]
    """The 202 body that a replay repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDelivery:
    """A delivery to store, and when it may first be claimed."""

    delivery: Delivery
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """All that one accepted message writes, in one transaction."""

    message: Message
    deliveries: tuple[NewDelivery, ...]
    events: tuple[Event, ...]
    idempotency: Idempotency | None = None
    remember: Recipient | None = None
    """Inline values to keep as the recipient's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """It is on disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """The key was used before for the same body: this was the answer; nothing new was stored."""

    answer: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatched:
    """The key was used before for another body; nothing was stored."""


AcceptOutcome = Stored | Replayed | Mismatched


class AcceptStore(Protocol):
    """Where a 202 becomes true."""

    async def accept(self, new: NewMessage) -> AcceptOutcome:
        """Store one message durably; concurrent calls share a commit. Raises Unavailable when it cannot."""

    async def accept_batch(
        self,
        service_id: ServiceId,
        items: Sequence[NewMessage],
        request: Idempotency | None,
        compose: Callable[[Sequence[AcceptOutcome]], Mapping[str, JsonValue]],
    ) -> tuple[Sequence[AcceptOutcome], AcceptOutcome]:
        """Store many in one transaction: each item's outcome, and the request's own.

        With a `request` key its answer is composed from the items' outcomes inside the transaction
        (`request.answer` is ignored). When the request is Replayed or Mismatched no item is stored and the
        item outcomes are empty.
        """

    async def recall(self, service_id: ServiceId, key: str) -> Idempotency | None:
        """What a key was used for; so that a repeat is answered although its body would be refused by now."""

    async def oldest_due(self, now: datetime) -> datetime | None:
        """When the longest-waiting claimable delivery fell due; None when nothing waits. For load shedding."""


# --- dispatching -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A delivery that is this worker's alone while its lease lasts; `fence` proves it on every write."""

    delivery: Delivery
    message: Message
    fence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFacts:
    """What the store holds that policy asks for, for one claim."""

    recipient: Recipient | None
    consents: tuple[Consent, ...]
    suppressions: tuple[Suppression, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """The intent to call a provider: committed before the call, so that a lost answer is never a blind resend."""

    claim: Claim
    attempt: Attempt
    content: Content
    """As it will be sent, secret values masked."""
    sender: str
    addresses: tuple[str, ...]
    """Where the call will go: one address, or each device's."""
    suppressions_seen: frozenset[SuppressionId] = frozenset()
    """Those that the decision was made with; any other that forbids the message refuses the reservation."""
    versions: Versions
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one claim came to: the delivery's next status, and what else changes with it, in one transaction."""

    claim: Claim
    status: DeliveryStatus
    reason: str | None = None
    due_at: datetime | None = None
    """When it may be claimed again; None when nothing more is to be done."""
    attempt: Attempt | None = None
    """The finished attempt, if one was begun."""
    provider_message_id: str | None = None
    events: tuple[Event, ...] = ()
    next_delivery: NewDelivery | None = None
    """Under `first`: the fallback on the next channel."""
    suppression: Suppression | None = None
    """The address that the provider's answer condemns."""
    drop_secrets: bool = False
    """The message is final: forget the secret variables' values."""


class DispatchStore(Protocol):
    """The queue of record: claims under a lease, fenced writes."""

    async def claim(self, worker: WorkerId, limit: int, now: datetime, lowest: Lane = Lane.LOW) -> Sequence[Claim]:
        """Take up to `limit` due deliveries, most urgent lane first, oldest first; each to exactly one worker.

        None below the lane `lowest` is taken: so that places kept for urgent work stay theirs.
        """

    async def facts(self, claims: Sequence[Claim], now: datetime) -> Mapping[DeliveryId, StoredFacts]:
        """Recipients, consents and suppressions for all claims, in a few queries."""

    async def reserve(self, reservation: Reservation) -> bool:
        """Mark `sending` and write the attempt; False when the claim is lost or a suppression came between."""

    async def record(self, step: Step) -> bool:
        """Write a step and give the claim back; False when it is no longer ours (nothing was written)."""

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

    async def release_dead(self, worker: WorkerId, now: datetime) -> int:
        """Strike off workers that died, as `worker` sees them; how many claims were released.

        Claims not yet `sending` can be claimed again at once. `sending` ones become `unknown`, due for their
        settlement after `unknown_after`, or `queued` where the provider is idempotent.
        """


# --- reading and steering ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """One page of a list, newest first unless said otherwise."""

    items: tuple[T, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRecord:
    """A delivery as one reads it: with its attempts and what was sent."""

    delivery: Delivery
    attempts: tuple[Attempt, ...]
    content: Content | None
    """None until it was rendered, and after retention."""
    address: str | None
    """The one address it went or goes to; None for push and where none is known yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRecord:
    """A message as one reads it."""

    message: Message
    status: DeliveryStatus
    deliveries: tuple[DeliveryRecord, ...]
    versions: Versions | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageQuery:
    """Which messages of the delivery log; every field that is None says nothing."""

    service_id: ServiceId | None = None
    """Only this service's; None for ops."""
    status: DeliveryStatus | None = None
    channel: Channel | None = None
    recipient: str | None = None
    """The recipient's id or one whole address."""
    template: str | None = None
    topic: str | None = None
    category: Category | None = None
    provider: str | None = None
    locale: str | None = None
    tag: str | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None
    text: str | None = None
    """Free text: found in ids, addresses, template, tags, metadata and subjects."""
    limit: int = 50
    cursor: str | None = None


class LogStore(Protocol):
    """The delivery log: what was sent, to whom, why not."""

    async def read(self, message_id: MessageId, service_id: ServiceId | None) -> MessageRecord:
        """One message with all that is known of it. Raises NotFound, also for another service's."""

    async def read_delivery(self, delivery_id: DeliveryId) -> MessageRecord:
        """The message that a delivery belongs to, whoever's it is; for links that name a delivery. Raises NotFound."""

    async def search(self, query: MessageQuery) -> Page[MessageRecord]:
        """Messages that match, newest first. Raises InvalidRequest for a cursor that is not ours."""

    async def events(
        self, message_id: MessageId, service_id: ServiceId | None, limit: int, cursor: str | None
    ) -> Page[Event]:
        """The timeline, oldest first. Raises NotFound."""

    async def summary(self, since: datetime) -> Mapping[tuple[str, Channel, str, DeliveryStatus], int]:
        """How many deliveries by (template, channel, locale, status) were created since then."""


class SteeringStore(Protocol):
    """What people do to messages by hand; each with who and why in the timeline."""

    async def cancel(self, message_id: MessageId, service_id: ServiceId | None, event: Event) -> MessageRecord:
        """Cancel every delivery of the message; each has a `delivery.cancelled` with the event's instant and data.

        Raises NotFound, and Conflict `too_late` when a provider was or may be called.
        """

    async def retry(self, message_id: MessageId, service_id: ServiceId | None, new: NewDelivery, event: Event) -> None:
        """Add a delivery for another try. Raises Conflict unless the last one on that channel failed for good."""


class RecipientStore(Protocol):
    """People as the services know them; an id means something within one service only."""

    async def put_recipient(self, service_id: ServiceId, recipient: Recipient, now: datetime) -> bool:
        """Keep the whole record in place of what was there; True when it is new."""

    async def get_recipient(self, service_id: ServiceId, recipient_id: RecipientId) -> Recipient:
        """Read it. Raises NotFound."""


class ConsentStore(Protocol):
    """The consent history, append-only."""

    async def add_consents(self, consents: Sequence[Consent]) -> None:
        """Append them all, or none."""

    async def current_consents(self, service_id: ServiceId, recipient_id: RecipientId) -> Sequence[Consent]:
        """For each (channel, topic) the line that holds: the latest `at`; at one instant the strictest."""

    async def consent_history(
        self, service_id: ServiceId, recipient_id: RecipientId, limit: int, cursor: str | None
    ) -> Page[Consent]:
        """Every line, newest recorded first."""


class SuppressionStore(Protocol):
    """Addresses never to be written to."""

    async def add_suppression(self, suppression: Suppression) -> Suppression:
        """Add it; the one that stands already for (channel, address, reason, scope) is answered instead."""

    async def remove_suppression(self, suppression_id: SuppressionId, event_by: str, now: datetime) -> None:
        """Lift it. Raises NotFound."""

    async def list_suppressions(
        self, channel: Channel | None, address: str | None, limit: int, cursor: str | None
    ) -> Page[Suppression]:
        """Those that match, newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderIdentity:
    """Who a service's messages come from, on a channel, optionally for one country or locale only."""

    channel: Channel
    sender: str
    """An e-mail mailbox (`Name <a@b>`), an E.164 number or an alphanumeric sender."""
    country: str | None = None
    locale: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A calling application."""

    id: ServiceId
    name: str
    senders: tuple[SenderIdentity, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key's public side; the secret itself is kept only as SHA-256."""

    id: KeyId
    service_id: ServiceId
    live: bool
    scopes: frozenset[str]
    secret_hash: str
    rate_per_second: float | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class ServiceStore(Protocol):
    """Services, their sender identities and their keys."""

    async def add_service(self, service: Service) -> None:
        """Raises Conflict when the name is taken."""

    async def update_senders(self, service_id: ServiceId, senders: Sequence[SenderIdentity]) -> Service:
        """Replace the sender identities."""

    async def get_service(self, service_id: ServiceId) -> Service:
        """Raises NotFound."""

    async def find_service(self, name: str) -> Service:
        """Raises NotFound."""

    async def list_services(self) -> Sequence[Service]:
        """All, by name."""

    async def add_key(self, key: ApiKey) -> None:
        """Keep a new key."""

    async def get_key(self, key_id: KeyId) -> ApiKey:
        """Raises NotFound."""

    async def list_keys(self, service_id: ServiceId | None) -> Sequence[ApiKey]:
        """Newest first."""

    async def revoke_key(self, key_id: KeyId, now: datetime) -> None:
        """From now on it opens nothing. Raises NotFound."""

    async def expire_key(self, key_id: KeyId, expires_at: datetime) -> None:
        """Let it end at that instant (rotation). Raises NotFound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCondition:
    """How a store is, as of a commit that it has just made."""

    revision: str
    """Of its tables."""
    is_current: bool
    """Whether that is the revision that this code needs."""
    engine: str
    """Such as `SQLite 3.51.3`."""
    warnings: tuple[str, ...]
    """What operators should know of it."""


class ConditionStore(Protocol):
    """Asks a store how it is."""

    async def probe(self) -> StoreCondition:
        """Make one durable commit. Raises Unavailable when it cannot commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxItem:
    """One thing that the mailbox was given, as its reader would get it."""

    delivery_id: DeliveryId
    channel: Channel
    sender: str
    to: str
    content: Mapping[str, JsonValue]
    """`{subject, …}`, `{text, …}` or `{title, …}`, shaped as the API shows content."""
    raw: bytes | None
    """The e-mail as it came over SMTP."""
    received_at: datetime


class MailboxStore(Protocol):
    """What the mailbox provider keeps for people to look at."""

    async def keep(self, item: MailboxItem) -> bool:
        """Keep it unless this delivery is there already; True when it is new. Durable on return."""

    async def get_item(self, delivery_id: DeliveryId) -> MailboxItem:
        """Raises NotFound."""

    async def list_items(self, channel: Channel | None, limit: int, cursor: str | None) -> Page[MailboxItem]:
        """Newest first, without `raw`."""
