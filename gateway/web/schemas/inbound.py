"""What came in, as the API shows it."""

from typing import Literal

from pydantic import BaseModel

from gateway.web.schemas.answers import AnsweredInstant
from gateway.web.schemas.common import ChannelName, JsonObject

MeaningName = Literal["stop", "start", "help", "unclear", "other"]


class InboundAnswer(BaseModel):
    """A text that came in, and what followed."""

    id: str
    provider: str
    channel: ChannelName
    sender: str
    recipient: str
    text: str
    meaning: MeaningName
    """`unclear`: it may mean STOP, and a person has to decide."""
    at: AnsweredInstant
    handled: JsonObject
    """The words that were found, and the ids of the suppression and of the reply."""


class InboundPage(BaseModel):
    """Texts, newest first."""

    items: list[InboundAnswer]
    next_cursor: str | None
