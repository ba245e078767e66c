"""Whether the person agreed: marketing needs a grant for its (channel, topic), the rest needs none."""

from datetime import datetime

from gateway.domain.decisions import Facts
from gateway.domain.instants import rfc3339
from gateway.domain.preferences import Consent, ConsentState, current_consent
from gateway.domain.recipients import JsonValue
from gateway.policy.rulings import Ruling, passes, suppresses

RULE = "consent"


def check_consent(facts: Facts, _now: datetime) -> Ruling:
    """Refuse marketing unless the line that holds for this channel and topic is a grant."""
    saw: dict[str, JsonValue] = {"category": facts.category.value, "topic": facts.topic}
    if not facts.category.needs_consent:
        return passes(RULE, {**saw, "needed": False})
    consent = current_consent(
        line for line in facts.consents if line.channel is facts.channel and line.topic == facts.topic
    )
    saw = {**saw, "needed": True, "channel": facts.channel.value, "consent": _shown(consent)}
    if consent is None:
        return suppresses(RULE, "no_consent", saw)
    match consent.state:
        case ConsentState.GRANTED:
            return passes(RULE, saw)
        case ConsentState.PENDING:
            return suppresses(RULE, "consent_pending", saw)
        case ConsentState.DENIED:
            return suppresses(RULE, "consent_denied", saw)


def _shown(consent: Consent | None) -> JsonValue:
    if consent is None:
        return None
    return {"id": consent.id, "state": consent.state.value, "source": consent.source, "at": rfc3339(consent.at)}
