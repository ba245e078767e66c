"""Opens, clicks and conversions as JSON."""

from collections.abc import Iterable

from gateway.delivery.presentation import JsonObject
from gateway.domain.engagement import Engagement, EngagementKind, tally
from gateway.domain.instants import rfc3339


def engagement_json(one: Engagement) -> JsonObject:
    """One of them, with all that is kept of it."""
    return {
        "id": one.id,
        "type": one.kind.value,
        "by": one.made_by.value,
        "at": rfc3339(one.at),
        "delivery_id": one.delivery_id,
        "data": dict(one.data),
    }


def tally_json(engagements: Iterable[Engagement]) -> JsonObject:
    """How many people made, and how many machines."""
    counted = tally((one.kind, one.made_by, 1) for one in engagements)

    def told(kind: EngagementKind) -> JsonObject:
        people, machines = counted[kind]
        return {"people": people, "machines": machines}

    return {
        "opened": told(EngagementKind.OPENED),
        "clicked": told(EngagementKind.CLICKED),
        "converted": counted[EngagementKind.CONVERTED][0],
    }
