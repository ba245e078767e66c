"""What policy looks at: a message, what the store knows of the person, and the providers that could serve it."""

from gateway.delivery.routing import RoutingTable, country_of
from gateway.domain.decisions import Facts
from gateway.ports import Claim, StoredFacts


def read_facts(claim: Claim, stored: StoredFacts, routing: RoutingTable) -> Facts:
    """Put the facts for one delivery together; the message's inline values win over what is stored."""
    message, channel = claim.message, claim.delivery.channel
    recipient = message.to if stored.recipient is None else stored.recipient.overlaid(message.to)
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
        route=routing.providers(channel, country_of(recipient, channel), message.live),
    )
