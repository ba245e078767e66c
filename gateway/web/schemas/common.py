"""What request shapes share: strict models that refuse unknown fields, instants, and texts fit for a header."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError


class Shape(BaseModel):
    """A part of a request: unknown fields are refused, and `"5"` is no number."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Query(BaseModel):
    """Query parameters: all text, so numbers are read from text."""

    model_config = ConfigDict(extra="forbid", frozen=True)


JsonObject = dict[str, Any]
"""An object whose members are the caller's business."""

PLAIN_TEXT: Final = r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"
"""No control character and no line separator: such a text may stand in a header or on one line of a log."""

ChannelName = Literal["email", "sms", "push"]
CategoryName = Literal["critical", "transactional", "marketing"]
TopicName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9_-]*$")]
TemplateName = Annotated[str, Field(min_length=1, max_length=100, pattern=PLAIN_TEXT)]
LocaleTag = Annotated[str, Field(min_length=1, max_length=35, pattern=PLAIN_TEXT)]
ZoneName = Annotated[str, Field(min_length=1, max_length=64, pattern=PLAIN_TEXT)]
ReasonText = Annotated[str, Field(min_length=1, max_length=500, pattern=PLAIN_TEXT)]
RecipientKey = Annotated[str, Field(min_length=1, max_length=255, pattern=PLAIN_TEXT)]


class ReasonQuery(Query):
    """Why, for calls without a body."""

    reason: ReasonText | None = Field(default=None, description="Kept in the audit trail.")


_RFC3339: Final = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 2999
"""Far from where adding a few days leaves the calendar."""


def parse_instant(given: object) -> datetime:
    """An RFC 3339 instant with its offset, as aware UTC; finer than microseconds is cut off."""
    if isinstance(given, datetime):
        return given
    shaped = _RFC3339.fullmatch(given) if isinstance(given, str) else None
    if shaped is None:
        raise PydanticCustomError("wrong_format", "Give an RFC 3339 instant with its offset, 2026-12-01T09:00:00Z")
    day, time, fraction, offset = shaped.groups()
    text = f"{day}T{time}{(fraction or '')[:7]}{offset.upper()}"
    try:
        instant = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise PydanticCustomError("wrong_format", "There is no such day, time or offset") from error
    if not _FIRST_YEAR <= instant.year <= _LAST_YEAR:
        raise PydanticCustomError("wrong_format", "Give an instant between the years 1970 and 2999")
    return instant


_INSTANT_SCHEMA: Final = {
    "type": "string",
    "format": "date-time",
    "description": "RFC 3339 with its offset.",
    "examples": ["2026-12-01T09:00:00Z"],
}
Instant = Annotated[datetime, BeforeValidator(parse_instant), WithJsonSchema(_INSTANT_SCHEMA)]
