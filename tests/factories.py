"""Shared builders: a valid value of each kind, of which a test names only what it is about."""

from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.domain.decisions import Facts
from gateway.domain.ids import (
    AttemptId,
    ConsentId,
    DeliveryId,
    EventId,
    MessageId,
    RecipientId,
    ServiceId,
    SuppressionId,
)
from gateway.domain.lifecycle import DeliveryStatus, Strategy
from gateway.domain.messages import Attempt, Delivery, Event, Message, Priority, SendRequest
from gateway.domain.preferences import Category, Consent, ConsentState, Suppression, SuppressionReason
from gateway.domain.recipients import Channel, EmailAddress, PhoneNumber, PushDevice, PushPlatform, Recipient
from gateway.domain.values import replace
from gateway.ports import Claim

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SERVICE = ServiceId("svc_shop")


def make_recipient(**changes: Any) -> Recipient:
    """Amina, who can be reached on every channel."""
    amina = Recipient(
        id=RecipientId("user-42"),
        email=EmailAddress("amina@example.org"),
        phone=PhoneNumber("+33612345678"),
        push=(PushDevice(platform=PushPlatform.FCM, token="device-1"),),
        locale="fr-CA",
        timezone="America/Toronto",
        country="CA",
    )
    return replace(amina, **changes)


def make_facts(**changes: Any) -> Facts:
    """An e-mail about an order that may go at NOW."""
    facts = Facts(
        category=Category.TRANSACTIONAL,
        topic="orders",
        channel=Channel.EMAIL,
        recipient=make_recipient(),
        send_at=None,
        expires_at=NOW + timedelta(days=3),
        consents=(),
        suppressions=(),
        route=("smtp-main",),
        country="CA",
    )
    return replace(facts, **changes)


def make_consent(**changes: Any) -> Consent:
    """Amina's grant for offers by e-mail, given a day before NOW."""
    consent = Consent(
        id=ConsentId("cns_1"),
        service_id=SERVICE,
        recipient_id=RecipientId("user-42"),
        channel=Channel.EMAIL,
        topic="offers",
        state=ConsentState.GRANTED,
        source="signup-form",
        at=NOW - timedelta(days=1),
        recorded_at=NOW - timedelta(days=1),
    )
    return replace(consent, **changes)


def make_suppression(**changes: Any) -> Suppression:
    """Amina's e-mail address after a hard bounce."""
    suppression = Suppression(
        id=SuppressionId("sup_1"),
        channel=Channel.EMAIL,
        address="amina@example.org",
        reason=SuppressionReason.BOUNCE,
        created_at=NOW - timedelta(days=1),
    )
    return replace(suppression, **changes)


def make_request(**changes: Any) -> SendRequest:
    """An order-shipped message to Amina with nothing special asked."""
    return replace(SendRequest(template="order-shipped", to=make_recipient()), **changes)


def make_message(**changes: Any) -> Message:
    """A transactional message to Amina by e-mail, accepted at NOW."""
    message = Message(
        id=MessageId("msg_1"),
        service_id=SERVICE,
        live=True,
        template="order-shipped",
        category=Category.TRANSACTIONAL,
        topic="orders",
        strategy=Strategy.FIRST,
        channels=(Channel.EMAIL,),
        to=make_recipient(),
        data={},
        secrets={},
        priority=Priority.NORMAL,
        tags=(),
        metadata={},
        sender=None,
        attachments=(),
        fallback_after=None,
        created_at=NOW,
        send_at=None,
        expires_at=NOW + timedelta(days=3),
    )
    return replace(message, **changes)


def make_delivery(**changes: Any) -> Delivery:
    """The e-mail of that message, just accepted."""
    delivery = Delivery(
        id=DeliveryId("dlv_1"),
        message_id=MessageId("msg_1"),
        channel=Channel.EMAIL,
        status=DeliveryStatus.ACCEPTED,
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(delivery, **changes)


def make_claim(message: Message | None = None, delivery: Delivery | None = None, fence: int = 1) -> Claim:
    """A claim of that delivery."""
    return Claim(message=message or make_message(), delivery=delivery or make_delivery(), fence=fence)


def make_attempt(**changes: Any) -> Attempt:
    """The first call for that delivery, under way since NOW."""
    attempt = Attempt(
        id=AttemptId("att_1"), delivery_id=DeliveryId("dlv_1"), number=1, provider="smtp-main", started_at=NOW
    )
    return replace(attempt, **changes)


def make_event(**changes: Any) -> Event:
    """The acceptance of that message."""
    event = Event(
        id=EventId("evt_1"),
        message_id=MessageId("msg_1"),
        delivery_id=None,
        type="message.accepted",
        at=NOW,
        data={},
    )
    return replace(event, **changes)
