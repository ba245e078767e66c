"""What would happen: the same draft, the same gate and the same renderer as a real send; nothing is stored."""

from datetime import datetime

from gateway.delivery.accepting.drafting import Draft, Drafter, new_delivery
from gateway.delivery.dispatching.composition import Composer
from gateway.delivery.dispatching.envelopes import Addressing
from gateway.delivery.dispatching.facts import Terms, as_of, read_facts
from gateway.delivery.dispatching.routing import RoutingTable
from gateway.delivery.dispatching.spending import weigh
from gateway.delivery.events import decision_json
from gateway.delivery.presentation import JsonObject, content_json
from gateway.domain.decisions import Facts
from gateway.domain.ids import ServiceId
from gateway.domain.instants import rfc3339
from gateway.domain.messages import SendRequest
from gateway.domain.recipients import JsonValue
from gateway.domain.rules import RuleSet
from gateway.domain.values import replace
from gateway.policy.gate import decide
from gateway.policy.packs.in_force import RulesInForce
from gateway.policy.zones import locate
from gateway.ports import Claim, Clock, DispatchStore


class Explainer:
    """Answers `POST /v1/explain`."""

    def __init__(
        self,
        *,
        store: DispatchStore,
        drafter: Drafter,
        composer: Composer,
        routing: RoutingTable,
        terms: Terms,
        addressing: Addressing,
        clock: Clock,
    ) -> None:
        self._store = store
        self._drafter = drafter
        self._composer = composer
        self._routing = routing
        self._terms = terms
        self._addressing = addressing
        self._clock = clock

    async def explain(
        self,
        service_id: ServiceId,
        live: bool,
        request: SendRequest,
        at: datetime | None = None,
        rules: RuleSet | None = None,
    ) -> JsonObject:
        """The decision, trace, route and content for every channel of the message, as of `at` or now.

        Consents, suppressions and the slots of caps are read as they stood at `at`. `rules` stand in place of the
        settings' and the country packs'. Raises InvalidRequest as a send would.
        """
        terms = self._terms if rules is None else replace(self._terms, rules=RulesInForce(rules))
        instant = at or self._clock.now()
        draft = await self._drafter.draft(service_id, live, request, instant)
        message = draft.message
        claims = [
            Claim(message=message, delivery=new_delivery(message, channel, instant).delivery, fence=0)
            for channel in message.channels
        ]
        stored = await self._store.facts(claims, slots=rules is not None)
        deliveries: list[JsonValue] = []
        locale: JsonValue = None
        for claim in claims:
            known = stored[claim.delivery.id]
            # Without an instant everything counts, whatever clock it was written by.
            facts = read_facts(claim, known if at is None else as_of(known, at), self._routing, terms)
            shown, locale = await self._delivery(draft, claim, facts, instant)
            deliveries.append(shown)
        return {
            "at": rfc3339(instant),
            "template": message.template,
            "category": message.category.value,
            "topic": message.topic,
            "strategy": message.strategy.value,
            "send_at": None if message.send_at is None else rfc3339(message.send_at),
            "expires_at": rfc3339(message.expires_at),
            "locale": locale,
            "deliveries": deliveries,
        }

    async def _delivery(
        self, draft: Draft, claim: Claim, facts: Facts, instant: datetime
    ) -> tuple[JsonObject, JsonObject]:
        channel = claim.delivery.channel
        composed = self._composer.compose(
            draft.message, facts.recipient, channel, delivery_id=claim.delivery.id, now=instant
        )
        if facts.spending is not None and facts.route:
            first = facts.route[0]
            sender = await self._addressing.sender(claim, facts, composed.content, first)
            facts = weigh(facts, self._terms.spending, first, composed.content, sender)
        shown: JsonObject = {"channel": channel.value, **decision_json(decide(facts, instant))}
        place = locate(facts.recipient, facts.default_timezone)
        shown |= {"zones": list(place.zones), "zone_evidence": place.evidence, "route": list(facts.route)}
        shown["content"] = content_json(composed.shown)
        versions = composed.versions
        locale: JsonObject = {
            "requested": versions.requested_locale,
            "resolved": versions.resolved_locale,
            "missing": list(versions.missing),
        }
        return shown, locale
