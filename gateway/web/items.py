"""Many things in one request, each checked on its own: one that is wrong keeps its place and stops no other."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from gateway.domain.recipients import JsonValue
from gateway.errors import GatewayError, InvalidRequest
from gateway.web.problems import problem_of

T = TypeVar("T")

MAX_NODES: Final = 200_000
"""A thousand items of two hundred values each."""
_BREATH: Final = 50
"""Items between two turns of the event loop: so that a large request holds nobody up."""


async def check_items(items: Sequence[JsonValue], check: Callable[[JsonValue], T]) -> list[T | InvalidRequest]:
    """What `check` makes of each item, or its refusal."""
    checked: list[T | InvalidRequest] = []
    for number, item in enumerate(items, 1):
        try:
            checked.append(check(item))
        except InvalidRequest as error:
            checked.append(error)
        if number % _BREATH == 0:
            await asyncio.sleep(0)
    return checked


def refusal_json(error: GatewayError) -> dict[str, JsonValue]:
    """A refused item: its problem, with `status` saying that it was refused."""
    return {**problem_of(error).members(), "status": "refused"}
