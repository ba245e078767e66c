"""Up to a thousand messages in one request: each on its own, or one message to many people."""

from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from gateway.web.schemas.common import JsonObject, Shape
from gateway.web.schemas.messages import SendShape

MAX_ITEMS: Final = 1_000

ItemKey = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[\u0021-\u007e]+$")]


class BatchItemShape(SendShape):
    """One message of a batch, with a key of its own if it wants one."""

    idempotency_key: ItemKey | None = None


class BatchRecipientShape(Shape):
    """One person of a shared message."""

    to: JsonObject
    data: JsonObject = Field(default={}, description="Laid over the shared data, name by name.")
    idempotency_key: ItemKey | None = None


def _without_own(message: dict[str, Any]) -> dict[str, Any]:
    if unexpected := sorted({"to", "idempotency_key"} & message.keys()):
        raise PydanticCustomError("unknown_field", "`{name}` belongs to each recipient", {"name": unexpected[0]})
    return message


_SHARED_SCHEMA: Final = {
    "type": "object",
    "description": "A message without `to`; an item's `data` is laid over the shared one, name by name.",
}


class BatchShape(Shape):
    """Either `messages`, or `message` with `recipients`; each item is checked on its own."""

    messages: (
        Annotated[
            list[Any],
            Field(min_length=1, max_length=MAX_ITEMS, json_schema_extra={"items": {"type": "object"}}),
        ]
        | None
    ) = None
    message: Annotated[JsonObject, Field(json_schema_extra=_SHARED_SCHEMA), AfterValidator(_without_own)] | None = None
    recipients: (
        Annotated[
            list[Any],
            Field(min_length=1, max_length=MAX_ITEMS, json_schema_extra={"items": {"type": "object"}}),
        ]
        | None
    ) = None

    @model_validator(mode="after")
    def _has_one_form(self) -> Self:
        each = self.messages is not None
        shared = self.message is not None and self.recipients is not None
        mixed = each and (self.message is not None or self.recipients is not None)
        if mixed or not (each or shared):
            raise PydanticCustomError("wrong_form", "Give `messages`, or `message` together with `recipients`")
        return self
