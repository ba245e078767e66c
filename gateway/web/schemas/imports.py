"""Many people or addresses in one request, and what became of each."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from gateway.web.schemas.answers import RefusedItem
from gateway.web.schemas.batch import MAX_ITEMS
from gateway.web.schemas.common import PLAIN_TEXT, ChannelName, Instant, RecipientKey, Shape
from gateway.web.schemas.preferences import ConsentShape
from gateway.web.schemas.recipients import RecipientShape

Items = Annotated[list[Any], Field(min_length=1, max_length=MAX_ITEMS, json_schema_extra={"items": {"type": "object"}})]
"""Each is checked on its own."""


class KeptRecipientShape(RecipientShape):
    """One person of many to be kept."""

    id: RecipientKey = Field(examples=["user-42"])


class RecipientBatchShape(Shape):
    """People to be kept, each checked on its own."""

    recipients: Items


class KeptRecipient(RefusedItem):
    """What became of one person: kept, or refused with a problem."""

    status: Literal["created", "replaced", "refused"]
    id: str | None = None
    suppressed: list[ChannelName] = Field(
        default=[], description="Channels on which all or some messages to an address of theirs are suppressed."
    )


class RecipientBatchAnswer(BaseModel):
    """One result for each person, in their order."""

    items: list[KeptRecipient]


class SuppressionBatchShape(Shape):
    """Addresses to be suppressed, each checked on its own."""

    suppressions: Items


class AddedSuppression(RefusedItem):
    """What became of one: added, there already, or refused with a problem."""

    status: Literal["added", "stood", "refused"]
    id: str | None = None


class SuppressionBatchAnswer(BaseModel):
    """One result for each, in their order."""

    items: list[AddedSuppression]


class ImportedConsentShape(ConsentShape):
    """What a person said elsewhere; a grant must say where and when."""

    id: RecipientKey = Field(description="The person.", examples=["user-42"])
    source: Annotated[str, Field(max_length=100, pattern=PLAIN_TEXT)] = Field(
        default="", description="Where it was said; a grant without it is refused."
    )
    at: Instant | None = Field(default=None, description="When it was said; a grant without it is refused.")


class ConsentBatchShape(Shape):
    """What people said elsewhere, each line checked on its own."""

    consents: Items


class TakenConsent(RefusedItem):
    """What became of one line: added, there already, or refused with a problem."""

    status: Literal["added", "stood", "refused"]
    id: str | None = Field(default=None, description="The person.")


class ConsentBatchAnswer(BaseModel):
    """One result for each line, in their order."""

    items: list[TakenConsent]
