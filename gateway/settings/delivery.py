"""Routes, and how hard and how long delivery tries."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel
from gateway.settings.values import Duration, Section


class RouteSettings(Section):
    """Which providers serve a channel, in order; the first route that fits wins."""

    channel: Channel
    countries: tuple[str, ...] = ()
    """ISO 3166-1 alpha-2; left out: everywhere."""
    providers: Annotated[tuple[str, ...], Field(min_length=1)]


class UnknownPolicy(Section):
    """Whether a lost answer may be followed by a second send, by category."""

    critical: Literal["never", "resend"] = "never"
    transactional: Literal["never", "resend"] = "never"
    marketing: Literal["never", "resend"] = "never"

    def resends(self, category: Category) -> bool:
        """Whether this category would rather arrive twice than not at all."""
        return bool(getattr(self, category.value) == "resend")


class DeliverySettings(Section):
    """How hard and how long delivery tries."""

    on_unknown: UnknownPolicy = UnknownPolicy()
    unknown_after: Duration = timedelta(minutes=15)
    """How long a lost answer may be settled before `on_unknown` decides."""
    attempts: Annotated[int, Field(ge=1, le=100)] = 8
    retry_first: Duration = timedelta(seconds=5)
    retry_max: Duration = timedelta(minutes=10)
    in_flight: Annotated[int, Field(ge=1, le=10_000)] = 256
    """How many deliveries one worker handles at once."""
    shed_after: Duration = timedelta(minutes=5)
    """When the longest-waiting due delivery is older, new posts get 503 until the backlog shrinks."""
