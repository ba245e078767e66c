"""How templates read, and what a preview takes."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from gateway.web.schemas.answers import ContentAnswer, LocaleAnswer
from gateway.web.schemas.common import (
    CategoryName,
    ChannelName,
    Instant,
    JsonObject,
    LocaleTag,
    Shape,
    ZoneName,
)


class TemplateSummary(BaseModel):
    """What a template is for."""

    name: str
    version: str = Field(description="Changes when any of its files or layouts does.")
    description: str
    category: CategoryName
    topic: str | None
    channels: list[ChannelName]
    strategy: Literal["first", "all"]


class TemplateList(BaseModel):
    """Every template that serves, by name."""

    items: list[TemplateSummary]


class VariableAnswer(BaseModel):
    """One value that a template takes."""

    type: str
    optional: bool
    secret: bool = Field(description="Shown as •••• in all that is kept.")
    max_length: int | None
    items: "VariableAnswer | None" = Field(default=None, description="What each item of a list is.")
    fields: "dict[str, VariableAnswer] | None" = Field(default=None, description="The fields of an object.")


class TemplateAnswer(TemplateSummary):
    """A template with what it takes."""

    fallback_after: str | None = Field(description="Such as `5m`.")
    expires_after: str | None = Field(description="Such as `2d`.")
    variables: dict[str, VariableAnswer]
    samples: dict[str, JsonObject] = Field(description="Sets of sample data, by name.")


class PreviewShape(Shape):
    """How to show a template: with data, or with one of its samples."""

    channel: ChannelName
    locale: LocaleTag | None = Field(
        default=None, description="Left out: the default one. Pseudo-locales: `en-XA`, `ar-XB`.", examples=["ar"]
    )
    timezone: ZoneName | None = None
    data: JsonObject | None = None
    sample: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        default=None, description="Serves where `data` is left out; without either the first sample."
    )
    at: Instant | None = Field(default=None, description="Left out: now.")


class PreviewAnswer(BaseModel):
    """The text as it would be sent."""

    locale: LocaleAnswer
    content: ContentAnswer
