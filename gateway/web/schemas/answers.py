"""How messages, deliveries and their timeline read; the values come from `gateway.delivery.presentation`."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from gateway.domain.lifecycle import DeliveryStatus
from gateway.web.schemas.common import CategoryName, ChannelName, JsonObject
from gateway.web.schemas.problems import FieldProblemAnswer
from gateway.web.schemas.recipients import PushDeviceAnswer

AnsweredInstant = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class AddresseeAnswer(BaseModel):
    """Whom the message names: its inline values only."""

    id: str | None
    email: str | None
    phone: str | None
    push: list[PushDeviceAnswer]
    locale: str | None
    timezone: str | None
    country: str | None
    region: str | None
    attributes: JsonObject


class AttemptAnswer(BaseModel):
    """One call to one provider."""

    id: str
    number: int
    provider: str
    started_at: AnsweredInstant
    finished_at: AnsweredInstant | None
    outcome: str | None = Field(description="Null while under way, or when the answer was lost.")
    code: str | None = Field(description="The provider's raw code.")
    detail: str | None
    provider_message_id: str | None


class EmailAnswer(BaseModel):
    """An e-mail as its reader gets it."""

    subject: str
    preheader: str
    html: str
    text: str
    headers: dict[str, str]


class SmsAnswer(BaseModel):
    """A text message and what it costs."""

    text: str
    encoding: Literal["gsm-7", "ucs-2"]
    units: int
    segments: int


class PushAnswer(BaseModel):
    """A notification as the device shows it."""

    title: str
    body: str
    action: str | None
    image: str | None
    badge: int | None
    collapse_key: str | None
    ttl: int | None
    bytes: int


ContentAnswer = EmailAnswer | SmsAnswer | PushAnswer


class DeviceAnswer(BaseModel):
    """What became of one device of a push delivery."""

    platform: str
    status: str
    reason: str | None
    provider_message_id: str | None


class TraceAnswer(BaseModel):
    """One rule consulted."""

    rule: str
    verdict: Literal["pass", "hold", "suppress", "expire"]
    saw: JsonObject


class DecisionAnswer(BaseModel):
    """What policy said of a delivery, and why."""

    at: AnsweredInstant
    decision: Literal["send", "hold", "suppress", "expire"]
    reason: str | None
    rule: str | None = Field(description="The rule that decided; null where all let it pass.")
    not_before: AnsweredInstant | None
    route: list[str] = Field(description="The providers to try, in order.")
    trace: list[TraceAnswer] = Field(description="Every rule consulted, in order, with what it saw.")


class DeliveryAnswer(BaseModel):
    """The message on one channel."""

    id: str
    channel: ChannelName
    status: DeliveryStatus
    reason: str | None
    not_before: AnsweredInstant | None
    unknown_since: AnsweredInstant | None = Field(
        description="Since when it is `unknown`: the provider's answer was lost, and nothing has settled it."
    )
    provider: str | None
    provider_message_id: str | None
    address: str | None
    attempts: list[AttemptAnswer]
    content: ContentAnswer | None = Field(description="Null until it was rendered.")
    created_at: AnsweredInstant
    updated_at: AnsweredInstant
    devices: list[DeviceAnswer] = Field(default=[], description="Only where a push provider told of each.")
    decision: DecisionAnswer | None = Field(
        default=None, description="The latest one; only where one message is read, and once policy spoke."
    )


class VersionsAnswer(BaseModel):
    """Which texts it was rendered from, and why no better language was used."""

    template: str
    catalogs: str
    requested_locale: str | None
    resolved_locale: str
    missing: list[str]


class AttachmentAnswer(BaseModel):
    """A file, without its content."""

    filename: str
    content_type: str
    inline_id: str | None
    bytes: int


class MessageAnswer(BaseModel):
    """One send of one template to one recipient, and what became of it."""

    id: str
    status: DeliveryStatus = Field(
        description="Its best delivery's under `first`, its least advanced one's under `all`."
    )
    template: str
    category: CategoryName
    topic: str | None
    strategy: Literal["first", "all"]
    channels: list[ChannelName]
    priority: Literal["low", "normal", "high"]
    test: bool = Field(description="Sent with a test key: the mailbox alone gets it.")
    recipient: AddresseeAnswer
    locale: str | None
    versions: VersionsAnswer | None
    data: JsonObject = Field(description="Secret variables show as ••••.")
    sender: str | None = Field(alias="from")
    attachments: list[AttachmentAnswer]
    created_at: AnsweredInstant
    send_at: AnsweredInstant | None
    expires_at: AnsweredInstant
    deliveries: list[DeliveryAnswer]
    tags: list[str]
    metadata: JsonObject


class TallyAnswer(BaseModel):
    """How many were made, told apart by who made them."""

    people: int
    machines: int = Field(description="Proxies that load images by themselves, and scanners that follow links.")


class EngagementAnswer(BaseModel):
    """What was done with the message, as far as it is told."""

    opened: TallyAnswer
    clicked: TallyAnswer
    converted: int


class ReadMessageAnswer(MessageAnswer):
    """The message, and what was done with it."""

    engagement: EngagementAnswer


class MessagePage(BaseModel):
    """Messages, newest first."""

    items: list[MessageAnswer]
    next_cursor: str | None


class EventAnswer(BaseModel):
    """A fact of the timeline."""

    id: str
    type: str = Field(description="`message.accepted`, `delivery.<status>`, …")
    at: AnsweredInstant
    delivery_id: str | None
    data: JsonObject


class EventPage(BaseModel):
    """The timeline, oldest first."""

    items: list[EventAnswer]
    next_cursor: str | None


class RefusedItem(BaseModel):
    """The members of an item of many that was refused: those of a problem."""

    type: str | None = None
    title: str | None = None
    code: str | None = None
    detail: str | None = None
    errors: list[FieldProblemAnswer] = Field(default=[], description="Pointers start at the item.")


class BatchResult(RefusedItem):
    """What became of one item: accepted with its message, or refused with its problem."""

    status: Literal["accepted", "refused"]
    message: MessageAnswer | None = None
    replayed: bool = Field(default=False, description="Answered before for the same `idempotency_key` and body.")


class BatchAnswer(BaseModel):
    """One result for each item, in the items' order."""

    items: list[BatchResult]


class LocaleAnswer(BaseModel):
    """The language asked for, the one used, and what the better ones lacked."""

    requested: str | None
    resolved: str
    missing: list[str]


class ExplainedDelivery(BaseModel):
    """What would happen on one channel."""

    channel: ChannelName
    decision: Literal["send", "hold", "suppress", "expire"]
    reason: str | None = None
    rule: str | None = None
    not_before: AnsweredInstant | None = None
    zones: list[str] = Field(description="The zones that the recipient may live in; hours must be open in all.")
    zone_evidence: Literal["recipient", "region", "phone", "country", "default"]
    route: list[str]
    trace: list[TraceAnswer]
    content: ContentAnswer | None


class ExplainAnswer(BaseModel):
    """What would happen to a message, and why."""

    at: AnsweredInstant
    template: str
    category: CategoryName
    topic: str | None
    strategy: Literal["first", "all"]
    send_at: AnsweredInstant | None
    expires_at: AnsweredInstant
    locale: LocaleAnswer
    deliveries: list[ExplainedDelivery]
