"""What becomes known of a message after it went: by its provider, its reader, or the service that sent it."""

from gateway.bootstrap.parts import Parts
from gateway.delivery.engagement.conversions import Converter
from gateway.delivery.engagement.desk import EngagementDesk
from gateway.delivery.engagement.told import ToldByProviders
from gateway.delivery.tracking.receipts import Tracker
from gateway.ports import Wake


def make_tracker(parts: Parts, wake: Wake) -> Tracker:
    """Takes receipts in, and rings for what falls due by them."""
    asked = parts.settings.engagement
    readers = ToldByProviders(parts.store.engagements, opens=asked.opens, clicks=asked.clicks)
    return Tracker(store=parts.store.receipts, readers=readers, wake=wake, clock=parts.clock, metrics=parts.metrics)


def make_engagement_desk(parts: Parts) -> EngagementDesk:
    """Where opens and clicks come in."""
    asked = parts.settings.engagement
    return EngagementDesk(
        store=parts.store.engagements,
        links=parts.engagement_links,
        opens=asked.opens,
        clicks=asked.clicks,
        click_parameter=asked.click_parameter,
        clock=parts.clock,
        metrics=parts.metrics,
    )


def make_converter(parts: Parts) -> Converter:
    """Ties what a service tells of to the message that led to it."""
    within = parts.settings.engagement.converted_within
    return Converter(store=parts.store.engagements, within=within, clock=parts.clock, metrics=parts.metrics)
