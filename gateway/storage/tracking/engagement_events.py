"""What opens, clicks and conversions add to the timeline."""

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

from gateway.domain.engagement import Engagement, EngagementKind
from gateway.domain.ids import EVENT, EventId, make_id
from gateway.domain.instants import rfc3339
from gateway.domain.messages import Event
from gateway.domain.recipients import JsonValue


def event_of(engagement: Engagement, channel: str, now: datetime, corrects: Sequence[str] = ()) -> Event:
    """The event of one; with those that were taken for a person's and turn out to be a machine's as well."""
    data: dict[str, JsonValue] = {"channel": channel, "engagement": engagement.id}
    if engagement.kind is EngagementKind.CONVERTED:
        told = engagement.data
        data["occurred_at"] = rfc3339(engagement.at)
        data |= {name: told[name] for name in ("name", "reference", "value", "found_by") if told.get(name) is not None}
    else:
        data |= {"by": engagement.made_by.value, "user_agent": engagement.data.get("user_agent", "")}
    if engagement.url is not None:
        parts = urlsplit(engagement.url)
        # What stands behind the path may name the person: it is in the export alone.
        data["link"] = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    if corrects:
        data["corrects"] = [*corrects]
    return Event(
        id=EventId(make_id(EVENT, now)),
        message_id=engagement.message_id,
        delivery_id=engagement.delivery_id,
        type=f"delivery.{engagement.kind.value}",
        at=now,
        data=data,
    )
