"""How the places of a lane are shared between the services that wait in it: each in turn, so that the backlog of
one delays no other by more than its own place."""

from collections.abc import Mapping, Sequence
from itertools import islice, zip_longest
from typing import Final, TypeVar

from gateway.domain.ids import ServiceId

T = TypeVar("T")

_NOTHING: Final = object()


def in_turn(due: Mapping[ServiceId, Sequence[T]], limit: int, turn: int) -> list[T]:
    """Up to `limit` of what is due: one of each service, then one more of each that has more, and so on.

    `turn` says who begins, so that where there are fewer places than services each gets one before long.
    """
    names = sorted(due)
    start = turn % len(names) if names else 0
    rounds = zip_longest(*(due[name] for name in names[start:] + names[:start]), fillvalue=_NOTHING)
    places = (item for one_round in rounds for item in one_round if item is not _NOTHING)
    return list(islice(places, limit))  # type: ignore[arg-type]


def first_portion(services: int, limit: int) -> int:
    """How many to look at of each service that waits in a lane with so many of them."""
    return -(-limit // services)


def next_portions(
    found: Mapping[ServiceId, int], portions: Mapping[ServiceId, int], limit: int
) -> dict[ServiceId, int]:
    """How many to look at of those that may have more than was looked at, while places of the lane are left over.

    At least twice as many each time, so that there are few rounds; empty when there is no reason to look again.
    """
    left = limit - sum(found.values())
    more = [service for service, count in found.items() if count == portions[service] < limit]
    if left <= 0 or not more:
        return {}
    return {service: min(limit, portions[service] + max(portions[service], -(-left // len(more)))) for service in more}
