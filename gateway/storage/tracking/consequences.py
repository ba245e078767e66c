"""What each receipt leads to beside its own row: collected here, written by `receipts` in the same transaction."""

from dataclasses import dataclass, field
from datetime import datetime

from gateway.domain.audit import RECIPIENT
from gateway.domain.ids import CONSENT, SUPPRESSION, ConsentId, SuppressionId, make_id
from gateway.domain.preferences import Consent, ConsentState, Suppression, SuppressionReason
from gateway.domain.receipts import Reaction, Receipt
from gateway.domain.recipients import JsonValue
from gateway.domain.spending import is_mailing, sending_domain
from gateway.domain.tracking import due_after, is_anomaly, reason_of, settle
from gateway.domain.values import Value, replace
from gateway.ports import Hearing
from gateway.storage.engines.statements import Row
from gateway.storage.rows import event_row
from gateway.storage.tracking.receipt_events import events_of
from gateway.storage.tracking.tracking import Tracked


class Kept(Value, frozen=True, kw_only=True):
    """A receipt with the id that it is kept under."""

    id: str
    provider: str
    receipt: Receipt


@dataclass(slots=True, kw_only=True)
class Effects:
    """What receipts lead to, collected before it is written."""

    now: datetime
    suppressions: list[Suppression] = field(default_factory=list)
    consents: list[Consent] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    """The sending domain of each marketing e-mail that was complained of for the first time."""
    heard: dict[str, Hearing] = field(default_factory=dict)
    """By the id of each receipt."""


def hear(one: Kept, of: Tracked, number: int, effects: Effects) -> None:
    """One receipt of one call: where it moves the delivery, and what else it leads to."""
    receipt, before, now = one.receipt, of.delivery.status, effects.now
    of.told.append((number, receipt))
    facts = of.facts
    status = settle(of.own, of.delivery.channel, facts)
    due = due_after(status, of.message, of.delivery.channel, now)
    moves = status is not before
    if moves:
        of.delivery = replace(of.delivery, status=status, reason=reason_of(status, facts), updated_at=now)
    anomaly = moves and is_anomaly(of.own, status)
    effects.events += map(event_row, events_of(of, (one.provider, number, receipt), moves=moves, now=now))
    effects.suppressions += _condemned(one, of, now)
    effects.consents += _left(one, of, now)
    if _is_first_complaint(receipt, of) and of.sender is not None:
        effects.complaints.append(sending_domain(of.sender))
    effects.heard[one.id] = Hearing(
        new=1,
        moved=((of.delivery.channel, status),) if moves else (),
        anomalies=(of.delivery.id,) if anomaly else (),
        due=moves and due is not None,
    )


def _is_first_complaint(receipt: Receipt, of: Tracked) -> bool:
    """Whether it is the first that a reader of live marketing e-mail complains of this one."""
    if receipt.reaction is not Reaction.COMPLAINED or not is_mailing(of.message, of.delivery.channel):
        return False
    return sum(other.reaction is Reaction.COMPLAINED for _, other in of.told) == 1


def _condemned(one: Kept, of: Tracked, now: datetime) -> list[Suppression]:
    receipt = one.receipt
    reason = receipt.suppress
    if reason is None and receipt.reaction is Reaction.COMPLAINED:
        reason = SuppressionReason.COMPLAINT
    scope = "all"
    if reason is None and receipt.reaction is Reaction.UNSUBSCRIBED and not _has_consents(of):
        # Without an id there is nobody to keep a consent for: the address leaves what it was written about.
        topic = of.message.topic
        reason, scope = SuppressionReason.MANUAL, of.message.category.value if topic is None else f"topic:{topic}"
    if reason is None or of.address is None:
        return []
    return [
        Suppression(
            id=SuppressionId(make_id(SUPPRESSION, now)),
            channel=of.delivery.channel,
            address=of.address,
            reason=reason,
            scope=scope,
            evidence=_evidence(one, of),
            created_at=now,
        )
    ]


def _left(one: Kept, of: Tracked, now: datetime) -> list[Consent]:
    person, topic = of.message.to.id, of.message.topic
    if one.receipt.reaction is not Reaction.UNSUBSCRIBED or person is None or topic is None:
        return []
    return [
        Consent(
            id=ConsentId(make_id(CONSENT, now)),
            service_id=of.message.service_id,
            recipient_id=person,
            channel=of.delivery.channel,
            topic=topic,
            state=ConsentState.DENIED,
            source="provider",
            evidence=_evidence(one, of),
            actor=RECIPIENT,
            at=now,
            recorded_at=now,
        )
    ]


def _has_consents(of: Tracked) -> bool:
    return of.message.to.id is not None and of.message.topic is not None


def _evidence(one: Kept, of: Tracked) -> dict[str, JsonValue]:
    receipt = one.receipt
    told: dict[str, JsonValue] = {
        "delivery_id": of.delivery.id,
        "provider": one.provider,
        "event_id": receipt.event_id,
        "status": receipt.status,
        "code": receipt.code,
        "detail": receipt.detail,
    }
    return {name: value for name, value in told.items() if value is not None}
