"""All that is held on a person."""

from pydantic import BaseModel, Field

from gateway.web.schemas.answers import AnsweredInstant
from gateway.web.schemas.common import JsonObject
from gateway.web.schemas.preferences import ConsentAnswer, SuppressionAnswer
from gateway.web.schemas.recipients import RecipientAnswer


class ExportAnswer(BaseModel):
    """All that is held on a person."""

    exported_at: AnsweredInstant
    recipient: list[RecipientAnswer] = Field(description="The person as kept; empty where only what follows is.")
    consents: list[ConsentAnswer] = Field(description="Every line of the history.")
    suppressions: list[SuppressionAnswer]
    messages: list[JsonObject] = Field(
        description="As `GET /v1/messages/{id}` shows them, with `events`, the `content` of `attachments` in base64,"
        " and `engagements`: every open, click and conversion as it came."
    )
    inbound: list[JsonObject] = Field(description="Texts that came in from the person's addresses.")
    caps: list[JsonObject] = Field(description="What was counted under frequency caps: `cap` and the instants.")
    audit: list[JsonObject] = Field(description="Who exported or erased the person, or spoke for them.")
