"""Endpoints of services: what a request says, and how they read."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from gateway.domain.durations import parse_duration
from gateway.domain.webhooks import EVERY_DELIVERY
from gateway.web.schemas.answers import AnsweredInstant
from gateway.web.schemas.common import (
    PLAIN_TEXT,
    CategoryName,
    ChannelName,
    Instant,
    Shape,
    TemplateName,
    TopicName,
)

_LONGEST_OVERLAP = timedelta(days=7)
TypePattern = Annotated[
    str,
    Field(max_length=100, pattern=r"^(\*|(message|delivery)\.(\*|[a-z_]+))$", examples=["delivery.*"]),
]
Tag = Annotated[str, Field(min_length=1, max_length=100, pattern=PLAIN_TEXT)]


class FilterShape(Shape):
    """Which events an endpoint wants: those that every member allows; an empty list allows all."""

    types: Annotated[list[TypePattern], Field(min_length=1, max_length=50)] = Field(
        default=[*EVERY_DELIVERY], description="Types of the timeline; `delivery.*` is all that becomes of deliveries."
    )
    channels: Annotated[list[ChannelName], Field(max_length=10)] = Field(default=[])
    categories: Annotated[list[CategoryName], Field(max_length=10)] = Field(default=[])
    topics: Annotated[list[TopicName], Field(max_length=50)] = Field(default=[])
    templates: Annotated[list[TemplateName], Field(max_length=50)] = Field(default=[])
    tags: Annotated[list[Tag], Field(max_length=50)] = Field(default=[], description="The message has one of them.")


class EndpointShape(Shape):
    """An address that wants to hear of its service's messages."""

    url: Annotated[str, Field(max_length=2000, pattern=r"^https?://[\x21-\x7e]+$")] = Field(
        description="https and public, unless the gateway's settings name it; redirects are not followed.",
        examples=["https://shop.example.org/hooks/heliograph"],
    )
    description: Annotated[str, Field(min_length=1, max_length=200, pattern=PLAIN_TEXT)] | None = None
    filters: FilterShape = FilterShape()
    enabled: bool = True


def _duration(given: object) -> object:
    if not isinstance(given, str):
        raise PydanticCustomError("wrong_format", "Give a duration such as 24h")
    try:
        duration = parse_duration(given)
    except ValueError as error:
        raise PydanticCustomError("wrong_format", "Give a duration such as 24h") from error
    if duration > _LONGEST_OVERLAP:
        raise PydanticCustomError("wrong_format", "An old secret counts for seven days at most")
    return duration


_OVERLAP_SCHEMA = {"type": "string", "description": "`0s` to `7d`.", "examples": ["24h"]}
Overlap = Annotated[timedelta, BeforeValidator(_duration), WithJsonSchema(_OVERLAP_SCHEMA)]


class RotateShape(Shape):
    """How long the secrets before the new one go on counting."""

    overlap: Overlap = timedelta(hours=24)


class ReplayShape(Shape):
    """The events of which time."""

    since: Instant
    until: Instant | None = Field(default=None, description="The first instant that is left out; by default now.")


class FilterAnswer(BaseModel):
    """Which events it wants."""

    types: list[str]
    channels: list[str]
    categories: list[str]
    topics: list[str]
    templates: list[str]
    tags: list[str]


class FailureAnswer(BaseModel):
    """What the last call that was not taken came to."""

    at: AnsweredInstant
    status: int | None = Field(description="Null where no answer came.")
    detail: str


class EndpointAnswer(BaseModel):
    """An endpoint as it stands."""

    id: str
    url: str
    description: str | None
    filters: FilterAnswer
    enabled: bool
    disabled_reason: Literal["by_hand", "failing", "gone"] | None
    created_at: AnsweredInstant
    changed_at: AnsweredInstant
    failing_since: AnsweredInstant | None = Field(description="Since when no call was taken.")
    not_before: AnsweredInstant | None = Field(description="It is left alone until then.")
    last_failure: FailureAnswer | None
    waiting: int = Field(description="Events that it has not taken yet, counted up to 1,000.")


class SecretEndpointAnswer(EndpointAnswer):
    """An endpoint with its new secret."""

    secret: str = Field(description="What it is signed with (Standard Webhooks); shown only now.")


class EndpointPage(BaseModel):
    """Endpoints, newest first."""

    items: list[EndpointAnswer]
    next_cursor: str | None


class TrialAnswer(BaseModel):
    """What an endpoint said to a test."""

    event_id: str
    taken: bool = Field(description="Whether it answered 2xx.")
    status: int | None = Field(description="Null where no answer came.")
    detail: str | None = Field(description="Why none came.")
    milliseconds: int


class ReplayAnswer(BaseModel):
    """What is put out once more, from now on."""

    id: str
    since: AnsweredInstant
    until: AnsweredInstant
