"""What policy looks at: a message, what the store knows of the person, and the providers that could serve it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from gateway.delivery.dispatching.routing import IN_ORDER, RoutingTable, country_of
from gateway.delivery.dispatching.spending import NO_SPENDING, SpendingTerms
from gateway.domain.decisions import Facts
from gateway.domain.instants import to_micros
from gateway.domain.messages import Message
from gateway.domain.own_rules import own_rules
from gateway.domain.preferences import Category, SuppressionReason
from gateway.domain.recipients import Channel, Recipient
from gateway.domain.rules import RuleSet
from gateway.domain.slots import WaitingDelivery
from gateway.domain.values import Value, field, replace
from gateway.policy.packs.in_force import RulesInForce
from gateway.policy.spending import spent_until
from gateway.policy.zones import locate
from gateway.ports import Claim, StoredFacts


class Terms(Value, frozen=True, kw_only=True):
    """What the settings say of policy."""

    rules: RulesInForce = field(default_factory=RulesInForce)
    default_timezone: str = "UTC"
    consent_on_any_channel: bool = False
    overridden: frozenset[SuppressionReason] = frozenset()
    spending: SpendingTerms = NO_SPENDING

    def rules_for(self, channel: Channel, category: Category, recipient: Recipient) -> RuleSet:
        """The rules that may speak of such a message to this person, their own wishes among them."""
        own = own_rules(recipient.preferences)
        if not self.rules.speaks_of(channel, category):
            return own
        place = locate(recipient, self.default_timezone)
        return self.rules.of(channel, category, place.country, place.region).joined(own)

    def may_be_capped(self, claim: Claim, recipient: Recipient | None) -> bool:
        """Whether a cap may speak of the delivery, to the person as kept: without one its slots are not looked at."""
        message = claim.message
        if self.rules.caps_all(claim.delivery.channel, message.category):
            return True
        whole = message.to if recipient is None else recipient.overlaid(message.to)
        return bool(self.rules_for(claim.delivery.channel, message.category, whole).frequency_caps)


def read_facts(claim: Claim, stored: StoredFacts, routing: RoutingTable, terms: Terms) -> Facts:
    """Put the facts for one delivery together; the message's inline values win over what is stored."""
    message, channel = claim.message, claim.delivery.channel
    recipient = message.to if stored.recipient is None else stored.recipient.overlaid(message.to)
    rules = terms.rules_for(channel, message.category, recipient)
    country = country_of(recipient, channel)
    route = routing.route(channel, country, message.category, message.live)
    names = () if route is None else route.providers
    if channel is Channel.PUSH and recipient.push:
        names = routing.reaching(names, recipient.push)
    return Facts(
        category=message.category,
        topic=message.topic,
        channel=channel,
        message_id=message.id,
        recipient=recipient,
        send_at=message.send_at,
        expires_at=message.expires_at,
        consents=stored.consents,
        suppressions=stored.suppressions,
        route=names,
        country=country,
        weights=IN_ORDER if route is None else route.weights,
        rules=rules,
        slots=stored.slots,
        waiting=_kept(rules, stored.waiting, message) if stored.waiting else {},
        spending=terms.spending.facts(claim, recipient, stored) if terms.spending else None,
        default_timezone=terms.default_timezone,
        consent_on_any_channel=terms.consent_on_any_channel,
        overridden=terms.overridden,
    )


def as_of(stored: StoredFacts, at: datetime) -> StoredFacts:
    """What was known at a past instant."""
    return replace(
        stored,
        consents=tuple([consent for consent in stored.consents if consent.at <= at]),
        suppressions=tuple([one for one in stored.suppressions if one.created_at <= at]),
        slots={cap: tuple([slot for slot in slots if slot <= to_micros(at)]) for cap, slots in stored.slots.items()},
        waiting=tuple([other for other in stored.waiting if other.created_at <= at]),
        spent=spent_until(stored.spent, at) if stored.spent else {},
    )


def _kept(rules: RuleSet, others: Sequence[WaitingDelivery], message: Message) -> Mapping[str, tuple[datetime, ...]]:
    """By counter, when those may go that came before this message and are more urgent: their slots stay theirs."""
    first = [one for one in others if one.goes_before(message.lane, message.created_at)]
    return {
        cap.counter: tuple([one.due_at for one in first if cap.speaks_of(one.channel, one.category, one.topic)])
        for cap in rules.frequency_caps
    }
