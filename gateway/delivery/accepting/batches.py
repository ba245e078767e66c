"""What a batch is answered: each item's message or its refusal, whole for the caller and in outline for the store."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway.delivery.presentation import JsonObject
from gateway.domain.encoding import Encoded, encode
from gateway.domain.ids import MessageId
from gateway.domain.values import Value
from gateway.errors import GatewayError

Refusal = Callable[[GatewayError], JsonObject]
"""How a refused item is shown."""


class AcceptedItem(Value, frozen=True, kw_only=True):
    """One item that stands for a message."""

    message_id: MessageId
    answer: bytes
    """The message in JSON."""
    replayed: bool
    """The item's own key was used before for the same body."""


Item = AcceptedItem | GatewayError


def whole(items: Sequence[Item], refusal: Refusal) -> bytes:
    """`{"items": [{"status": "accepted", "message": …} | refusal]}`, in the order of the request."""
    return _answer(items, refusal, lambda item: Encoded(item.answer))


def outline(items: Sequence[Item], refusal: Refusal) -> bytes:
    """The same with nothing of the messages but their ids: the rest is kept once, with each message."""
    return _answer(items, refusal, lambda item: {"id": item.message_id})


def filled(kept: Any, answers: Mapping[MessageId, bytes]) -> bytes:
    """The whole answer of an outline, from the JSON of its messages; one that is gone is named by its id alone."""
    items = [
        {**item, "message": Encoded(answers[item["message"]["id"]])}
        if "message" in item and item["message"]["id"] in answers
        else item
        for item in kept["items"]
    ]
    return encode({"items": items})


def _answer(items: Sequence[Item], refusal: Refusal, shown: Callable[[AcceptedItem], object]) -> bytes:
    answers: list[dict[str, object]] = []
    for item in items:
        if isinstance(item, AcceptedItem):
            told: dict[str, object] = {"status": "accepted", "message": shown(item)}
            answers.append({**told, "replayed": True} if item.replayed else told)
        else:
            answers.append({**refusal(item)})
    return encode({"items": answers})
