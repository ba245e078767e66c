"""Conversions: what a service tells, and how they read."""

import re
from typing import Annotated, Final

from babel.numbers import list_currencies
from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError

from gateway.delivery.engagement.conversions import Happened
from gateway.domain.ids import DeliveryId, MessageId, RecipientId
from gateway.web.schemas.answers import AnsweredInstant
from gateway.web.schemas.common import PLAIN_TEXT, Instant, JsonObject, RecipientKey, Shape, TopicName

_AMOUNT: Final = r"^-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,9})?$"
_Id = Annotated[str, Field(min_length=1, max_length=64, pattern=PLAIN_TEXT)]


def _known(currency: str) -> str:
    if not re.fullmatch("[A-Z]{3}", currency) or currency not in list_currencies():
        raise PydanticCustomError("unknown_currency", "Give an ISO 4217 code such as EUR")
    return currency


class ConversionValue(Shape):
    """What it was worth."""

    amount: Annotated[str, Field(pattern=_AMOUNT)] = Field(examples=["129.90"])
    currency: Annotated[str, AfterValidator(_known)] = Field(examples=["CAD"])


class ConversionShape(Shape):
    """What happened, and exactly one of `message_id`, `delivery_id` and `recipient_id`."""

    name: TopicName = Field(description="What happened.", examples=["order"])
    reference: Annotated[str, Field(min_length=1, max_length=200, pattern=PLAIN_TEXT)] | None = Field(
        default=None, description="Your own name for it: told twice under one, it counts once.", examples=["A-1009"]
    )
    value: ConversionValue | None = None
    metadata: Annotated[JsonObject, Field(max_length=50)] = Field(default_factory=dict)
    at: Instant | None = Field(default=None, description="When it happened; left out: now. Never in the future.")
    message_id: _Id | None = Field(default=None, description="The message that led to it.")
    delivery_id: _Id | None = Field(default=None, description="As `[engagement] click_parameter` tells link targets.")
    recipient_id: RecipientKey | None = Field(
        default=None, description="The person: the message is the one whose link they followed last."
    )

    def to_domain(self) -> Happened:
        """What happened."""
        return Happened(
            name=self.name,
            reference=self.reference,
            at=self.at,
            value=None if self.value is None else self.value.model_dump(),
            metadata=self.metadata,
            message_id=None if self.message_id is None else MessageId(self.message_id),
            delivery_id=None if self.delivery_id is None else DeliveryId(self.delivery_id),
            recipient_id=None if self.recipient_id is None else RecipientId(self.recipient_id),
        )


class ConversionAnswer(BaseModel):
    """A conversion, with the message that led to it."""

    id: str
    message_id: str
    delivery_id: str
    at: AnsweredInstant
    data: JsonObject = Field(
        description="What was told, and in `found_by` by what the message was found: `message`, `delivery` or `click`."
    )
