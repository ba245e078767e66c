"""What one may send."""

import base64
import re
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, WithJsonSchema
from pydantic_core import PydanticCustomError

from gateway.domain.lifecycle import Strategy
from gateway.domain.messages import Attachment, LocalTime, Priority, SendRequest
from gateway.domain.recipients import Channel
from gateway.domain.rule_tables import WrongRules, parse_rules
from gateway.domain.rules import RuleSet
from gateway.errors import InvalidRequest
from gateway.web.pointers import tag
from gateway.web.schemas.common import (
    PLAIN_TEXT,
    ChannelName,
    Instant,
    JsonObject,
    ReasonText,
    Shape,
    TemplateName,
    ZoneName,
)
from gateway.web.schemas.recipients import AddresseeShape

_LOCAL: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?", re.ASCII)


def _parse_local(given: object) -> datetime:
    if isinstance(given, str) and _LOCAL.fullmatch(given):
        try:
            return datetime.fromisoformat(given)
        except ValueError:
            pass
    raise PydanticCustomError("wrong_format", "Give a wall time without an offset, such as 2026-12-01T09:00")


class LocalTimeShape(Shape):
    """A wall-clock instant; in a daylight-saving overlap the first."""

    local: Annotated[
        datetime, BeforeValidator(_parse_local), WithJsonSchema({"type": "string", "examples": ["2026-12-01T09:00"]})
    ]
    timezone: ZoneName = Field(description="`recipient`, or an IANA zone.", examples=["recipient"])

    def to_domain(self) -> LocalTime:
        """The wall time."""
        return LocalTime(local=self.local, timezone=self.timezone)


def _kind_of_time(given: object) -> str:
    return tag("local") if isinstance(given, dict) else tag("instant")


_SendAt = Annotated[
    Annotated[Instant, Tag(tag("instant"))] | Annotated[LocalTimeShape, Tag(tag("local"))],
    Discriminator(_kind_of_time),
]


def _decode(given: object) -> bytes:
    try:
        return base64.b64decode(given if isinstance(given, str) else "=", validate=True)
    except ValueError as error:
        raise PydanticCustomError("wrong_format", "Give the file in base64 (RFC 4648 §4)") from error


_BASE64_SCHEMA: Final = {"type": "string", "contentEncoding": "base64"}


class AttachmentShape(Shape):
    """A file that goes with the e-mail; its name, kind and size are checked by acceptance."""

    filename: Annotated[str, Field(min_length=1, max_length=255)]
    content_type: Annotated[str, Field(min_length=3, max_length=255, examples=["application/pdf"])]
    content: Annotated[bytes, BeforeValidator(_decode), WithJsonSchema(_BASE64_SCHEMA)]
    inline_id: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        default=None, description="Content-ID that the HTML names as `cid:…`."
    )

    def to_domain(self) -> Attachment:
        """The file."""
        return Attachment(
            filename=self.filename, content_type=self.content_type, content=self.content, inline_id=self.inline_id
        )


def _distinct(channels: list[ChannelName]) -> list[ChannelName]:
    if len(set(channels)) != len(channels):
        raise PydanticCustomError("repeated", "Name each channel once")
    return channels


_CHANNELS: Final = {channel.value: channel for channel in Channel}
_PRIORITIES: Final = {priority.value: priority for priority in Priority}
_Tag = Annotated[str, Field(min_length=1, max_length=64, pattern=PLAIN_TEXT)]


class SendShape(Shape):
    """One message to send; content and addresses are checked by acceptance."""

    template: TemplateName = Field(examples=["order-shipped"])
    to: AddresseeShape
    remember: bool = Field(default=False, description="Keep the inline values as the recipient's own.")
    channels: (
        Annotated[
            list[ChannelName],
            Field(min_length=1, max_length=3, json_schema_extra={"uniqueItems": True}),
            AfterValidator(_distinct),
        ]
        | None
    ) = Field(default=None, description="Left out: the template's own.")
    strategy: Literal["first", "all"] | None = Field(default=None, description="Left out: the template's own.")
    data: JsonObject = Field(
        default_factory=dict, json_schema_extra={"default": {}}, description="The template's variables."
    )
    send_at: _SendAt | None = None
    expires_at: Instant | None = None
    priority: Literal["low", "normal", "high"] = "normal"
    tags: Annotated[list[_Tag], Field(max_length=20)] = Field(default_factory=list, json_schema_extra={"default": []})
    metadata: Annotated[JsonObject, Field(max_length=50)] = Field(
        default_factory=dict, json_schema_extra={"default": {}}
    )
    sender: Annotated[str, Field(min_length=1, max_length=320, pattern=PLAIN_TEXT)] | None = Field(
        default=None, alias="from", description="A sender identity that the service owns."
    )
    attachments: Annotated[list[AttachmentShape], Field(max_length=100)] = Field(
        default_factory=list, json_schema_extra={"default": []}
    )

    def to_domain(self, traceparent: str | None) -> SendRequest:
        """The request as the use cases know it."""
        send_at = self.send_at.to_domain() if isinstance(self.send_at, LocalTimeShape) else self.send_at
        return SendRequest(
            template=self.template,
            to=self.to.to_domain(self.to.id),
            remember=self.remember,
            channels=None if self.channels is None else tuple([_CHANNELS[name] for name in self.channels]),
            strategy=None if self.strategy is None else Strategy(self.strategy),
            data=self.data,
            send_at=send_at,
            expires_at=self.expires_at,
            priority=_PRIORITIES[self.priority],
            tags=tuple(self.tags),
            metadata=self.metadata,
            sender=self.sender,
            attachments=tuple([file.to_domain() for file in self.attachments]) if self.attachments else (),
            traceparent=traceparent,
        )


class ExplainShape(SendShape):
    """The same body, and the instant for which to answer."""

    at: Instant | None = Field(default=None, description="Left out: now.")
    rules: JsonObject | None = Field(
        default=None,
        description="`quiet_hours` and `frequency_caps` as in the settings, to be tried in place of the settings' and"
        " the country packs' rules; needs the scope `policy`.",
    )

    def to_rules(self) -> RuleSet | None:
        """The rules to try. Raises InvalidRequest that names every wrong key."""
        if self.rules is None:
            return None
        try:
            return parse_rules(self.rules, "request")
        except WrongRules as error:
            wrong = [replace(problem, pointer=f"/rules{problem.pointer}") for problem in error.problems]
            raise InvalidRequest("The rules cannot be meant as they stand.", wrong) from error


class CancelShape(Shape):
    """Why, if one likes to say."""

    reason: ReasonText | None = None


class RetryShape(Shape):
    """Why, and on which channel."""

    reason: ReasonText = Field(description="Kept in the timeline.")
    channel: ChannelName | None = Field(default=None, description="Left out: the one on which it failed last.")
