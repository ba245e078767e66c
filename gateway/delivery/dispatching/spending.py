"""What the settings say of spending, applied to one delivery: which limits speak of it, and what a call will cost."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from gateway.delivery.dispatching.routing import country_of_number
from gateway.domain.decisions import Facts
from gateway.domain.messages import Content, SmsContent
from gateway.domain.recipients import Channel, Recipient
from gateway.domain.spending import (
    Budget,
    ComplaintLimit,
    CountedBy,
    SpendingFacts,
    SpendingLimit,
    is_mailing,
    sending_domain,
)
from gateway.domain.values import Value, field, replace
from gateway.policy.spending import COMPLAINTS_OF
from gateway.ports import Claim, StoredFacts

ELSEWHERE: Final = "other"
"""The price of countries that have none of their own."""
_SUBSCRIBERS: Final = 4
"""The last digits of a number, which tell the numbers of one block apart."""
_COMPLAINTS_BOUNDS: Final = (COMPLAINTS_OF, COMPLAINTS_OF[:-1] + chr(ord(COMPLAINTS_OF[-1]) + 1))


class SpendingTerms(Value, frozen=True, kw_only=True):
    """What the settings say of spending; false where they say nothing."""

    limits: tuple[SpendingLimit, ...] = ()
    currency: str = "EUR"
    countries: frozenset[str] | None = None
    """Where texts may go of services that have no list of their own; None: everywhere."""
    countries_of: Mapping[str, frozenset[str] | None] = field(default_factory=dict)
    """The lists of services that have their own, by name."""
    prices: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By provider and country, in millionths: of a segment of a text, of an e-mail, of a push message."""
    complaints: ComplaintLimit | None = None
    digest: str = ""
    """What changes with any of it."""

    def __bool__(self) -> bool:
        return bool(self.limits or self.countries_of or self.complaints) or self.countries is not None

    def counters_for(self, claim: Claim, recipient: Recipient | None, service: str) -> Collection[str]:
        """The counters of the limits that speak of a delivery to the person as kept."""
        return [counter for _, counter, _ in self._speaking(claim, _whole(claim, recipient), service)]

    def counters_within(self, claims: Iterable[Claim]) -> tuple[str, str] | None:
        """Those of all sending domains, where one of the claims is marketing e-mail that complaints may stop."""
        return _COMPLAINTS_BOUNDS if any(self._complaints_for(claim) for claim in claims) else None

    def facts(self, claim: Claim, recipient: Recipient, stored: StoredFacts) -> SpendingFacts | None:
        """What policy looks at; None where nothing may speak of the delivery."""
        budgets = tuple(
            Budget(limit=limit, counter=counter, of=of, spent=stored.spent.get(counter, {}))
            for limit, counter, of in self._speaking(claim, recipient, stored.service)
        )
        texts = claim.delivery.channel is Channel.SMS
        countries = self.countries_of.get(stored.service, self.countries) if texts else None
        complaints = self._complaints_for(claim)
        if not budgets and countries is None and complaints is None:
            return None
        return SpendingFacts(
            budgets=budgets,
            currency=self.currency,
            countries=countries,
            country=None if recipient.phone is None or not texts else country_of_number(recipient.phone),
            complaints=complaints,
            complained=stored.spent if complaints else {},
        )

    def weighed(
        self, facts: SpendingFacts, recipient: Recipient, provider: str, content: Content, sender: str
    ) -> SpendingFacts:
        """The same once it is known who sends what through whom: with the call's cost and the sending domain."""
        domain = sending_domain(sender) if facts.complaints is not None else None
        return replace(facts, cost=self._cost(recipient, provider, content), domain=domain)

    def _cost(self, recipient: Recipient, provider: str, content: Content) -> int:
        prices = self.prices.get(provider)
        if prices is None:
            return 0
        if isinstance(content, SmsContent):
            country = country_of_number(recipient.phone or "")
            return prices.get(country or "", prices.get(ELSEWHERE, 0)) * content.segments
        return prices.get(recipient.country or "", prices.get(ELSEWHERE, 0))

    def _speaking(self, claim: Claim, recipient: Recipient, service: str) -> Iterable[tuple[SpendingLimit, str, str]]:
        """The limits that speak of a delivery, each with its counter and what that counts together, for people."""
        message, channel = claim.message, claim.delivery.channel
        for limit in self.limits:
            if not limit.speaks_of(service, channel, message.category):
                continue
            match limit.by:
                case CountedBy.SERVICE:
                    yield limit, limit.counter(message.service_id, live=message.live), service
                case CountedBy.PREFIX if channel is Channel.SMS and recipient.phone is not None:
                    block = block_of(recipient.phone)
                    yield limit, limit.counter(block, live=message.live), f"{block}{'•' * _SUBSCRIBERS}"
                case CountedBy.PREFIX:
                    continue

    def _complaints_for(self, claim: Claim) -> ComplaintLimit | None:
        return self.complaints if is_mailing(claim.message, claim.delivery.channel) else None


def weigh(facts: Facts, terms: SpendingTerms, provider: str, content: Content, sender: str) -> Facts:
    """The facts once it is known who sends what through whom."""
    if facts.spending is None:
        return facts
    return replace(facts, spending=terms.weighed(facts.spending, facts.recipient, provider, content, sender))


NO_SPENDING: Final = SpendingTerms()


def block_of(phone: str) -> str:
    """The block of ten thousand numbers that one lies in: pumping works through such blocks."""
    return phone[:-_SUBSCRIBERS]


def _whole(claim: Claim, recipient: Recipient | None) -> Recipient:
    return claim.message.to if recipient is None else recipient.overlaid(claim.message.to)
