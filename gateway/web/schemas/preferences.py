"""Consents and suppressions: what a request says, and how they read."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from gateway.web.schemas.answers import AnsweredInstant
from gateway.web.schemas.common import PLAIN_TEXT, ChannelName, Instant, JsonObject, LocaleTag, Shape, TopicName

ConsentStateName = Literal["granted", "denied", "pending"]
ReasonName = Literal["bounce", "complaint", "stop", "manual"]
ScopeText = Annotated[
    str, Field(max_length=70, pattern=r"^(all|critical|transactional|marketing|topic:[a-z0-9][a-z0-9_-]{0,63})$")
]


class ConsentShape(Shape):
    """What a person said of one topic on one channel."""

    channel: ChannelName
    topic: TopicName = Field(examples=["newsletter"])
    state: ConsentStateName = Field(description="`pending` starts a double opt-in: the person is asked by a message.")
    source: Annotated[str, Field(min_length=1, max_length=100, pattern=PLAIN_TEXT)] = Field(examples=["signup-form"])
    wording: Annotated[str, Field(max_length=4000)] | None = Field(
        default=None, description="The sentence that the person agreed to, as shown."
    )
    wording_version: Annotated[str, Field(min_length=1, max_length=100, pattern=PLAIN_TEXT)] | None = Field(
        default=None, description="Which edition of that sentence it was."
    )
    locale: LocaleTag | None = Field(default=None, description="In which language it was shown.")
    evidence: Annotated[JsonObject, Field(max_length=50)] | None = None
    at: Instant | None = Field(default=None, description="When it was said; left out: now. Never in the future.")


class ConsentsShape(Shape):
    """What a person said, all of it kept or none."""

    consents: Annotated[list[ConsentShape], Field(min_length=1, max_length=100)]


class ConsentAnswer(BaseModel):
    """One line of the consent history."""

    id: str
    channel: ChannelName
    topic: str
    state: ConsentStateName
    source: str
    wording: str | None
    wording_version: str | None
    locale: str | None
    evidence: JsonObject | None
    actor: str | None = Field(description="Who had it recorded: `key:<id>`, `recipient` or `system`.")
    at: AnsweredInstant
    recorded_at: AnsweredInstant
    requested_at: AnsweredInstant | None = Field(description="When the double opt-in began that this grant ends.")
    confirmed_at: AnsweredInstant | None = Field(description="When the person followed its link and said yes.")


class ConsentList(BaseModel):
    """For each channel and topic the line that holds."""

    items: list[ConsentAnswer]


class ConsentPage(BaseModel):
    """Every line, newest recorded first."""

    items: list[ConsentAnswer]
    next_cursor: str | None


class SuppressionShape(Shape):
    """An address never to be written to on a channel."""

    channel: ChannelName
    address: Annotated[str, Field(min_length=1, max_length=4096)] = Field(
        description="An e-mail address, an E.164 number, a device token or a subscription's endpoint."
    )
    reason: ReasonName
    scope: ScopeText = Field(default="all", description="`all`, a category, or `topic:<name>`.")
    evidence: Annotated[JsonObject, Field(max_length=50)] | None = None
    expires_at: Instant | None = Field(
        default=None, description="Only of a `bounce` or a `manual` one: what a person said does not end by itself."
    )


class SuppressionAnswer(BaseModel):
    """A suppression as it stands."""

    id: str
    channel: ChannelName
    address: str | None = Field(description="Null once the person was erased: the suppression still holds.")
    reason: ReasonName
    scope: str
    evidence: JsonObject | None
    created_at: AnsweredInstant
    expires_at: AnsweredInstant | None


class SuppressionPage(BaseModel):
    """Suppressions, newest first."""

    items: list[SuppressionAnswer]
    next_cursor: str | None
