"""Whether the person agreed: marketing needs a grant for its (channel, topic), the rest needs none."""

from datetime import datetime

from gateway.domain.decisions import Facts
from gateway.domain.instants import rfc3339
from gateway.domain.preferences import Consent, ConsentState, current_consent
from gateway.domain.recipients import Channel, JsonValue
from gateway.policy.rulings import Ruling, passes, suppresses

RULE = "consent"


def check_consent(facts: Facts, _now: datetime) -> Ruling:
    """Refuse marketing unless the line that holds for this channel and topic is a grant.

    The settings may let a grant for the topic on another channel do.
    """
    saw: dict[str, JsonValue] = {"category": facts.category.value, "topic": facts.topic}
    if not facts.category.needs_consent:
        return passes(RULE, {**saw, "needed": False})
    consent = _standing(facts)
    saw = {**saw, "needed": True, "channel": facts.channel.value, "consent": _shown(consent)}
    if facts.consent_on_any_channel:
        saw["on"] = None if consent is None else consent.channel.value
    if consent is None:
        return suppresses(RULE, "no_consent", saw)
    match consent.state:
        case ConsentState.GRANTED:
            return passes(RULE, saw)
        case ConsentState.PENDING:
            return suppresses(RULE, "consent_pending", saw)
        case ConsentState.DENIED:
            return suppresses(RULE, "consent_denied", saw)


def _standing(facts: Facts) -> Consent | None:
    """The line that holds: the channel's own or, where a grant on any channel is enough, the topic's."""
    of_topic = [line for line in facts.consents if line.topic == facts.topic]
    own = current_consent(line for line in of_topic if line.channel is facts.channel)
    # Who was asked on this channel and has not said yes may not be the one who said so on another.
    if not facts.consent_on_any_channel or (own is not None and own.state is not ConsentState.GRANTED):
        return own
    standing = [current_consent(line for line in of_topic if line.channel is channel) for channel in Channel]
    said = [line for line in standing if line is not None and line.state is not ConsentState.PENDING]
    # A withdrawal on one channel wins over any older grant, whichever channel that was given on.
    return current_consent(said) or own


def _shown(consent: Consent | None) -> JsonValue:
    if consent is None:
        return None
    return {"id": consent.id, "state": consent.state.value, "source": consent.source, "at": rfc3339(consent.at)}
