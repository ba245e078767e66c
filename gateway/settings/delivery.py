"""Routes, and how hard and how long delivery tries."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel
from gateway.settings.values import Duration, Section


class RouteSettings(Section):
    """Which providers serve a channel, in order or by weight; the first route that fits wins."""

    channel: Channel
    countries: tuple[str, ...] = ()
    """ISO 3166-1 alpha-2; left out: everywhere."""
    categories: tuple[Category, ...] = ()
    """Left out: all."""
    providers: tuple[str, ...] = ()
    """In order: the first that is well gets all."""
    weights: Mapping[str, Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]] = Field(
        default_factory=dict
    )
    """In place of `providers`: what part of the traffic each gets, in proportion to the others."""

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if bool(self.providers) is bool(self.weights):
            raise ValueError("name providers in order, or weights by provider: one of them, and not both")
        if self.weights and not any(self.weights.values()):
            raise ValueError("one of the weights must be more than 0")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """All its providers, those first that get the most."""
        return self.providers or tuple(sorted(self.weights, key=lambda name: -self.weights[name]))


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
    ask_after: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(minutes=15)
    """How long a message that was taken may be without its receipt before its provider is asked."""
    attempts: Annotated[int, Field(ge=1, le=100)] = 8
    retry_first: Duration = timedelta(seconds=5)
    retry_max: Duration = timedelta(minutes=10)
    slow_after: Annotated[Duration, Field(gt=timedelta(0))] = timedelta(seconds=5)
    """A call that takes longer speaks against its provider as a failure does."""
    in_flight: Annotated[int, Field(ge=1, le=10_000)] = 256
    """How many deliveries one worker handles at once."""
    shed_after: Duration = timedelta(minutes=5)
    """When the longest-waiting due delivery is older, new posts get 503 until the backlog shrinks."""
