"""How places are shared between the lanes: the urgent first, and a little for the others so that none starves."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from gateway.domain.messages import Lane

T = TypeVar("T")

FAIR_SHARE: Final = 16
"""One place in so many goes to a lower lane (as Postfix does with deferred mail, postfix.org/SCHEDULER_README.html)."""
_LOWER: Final = tuple(sorted(Lane, reverse=True))[:-1]


def share(due: Mapping[Lane, Sequence[T]], limit: int, turn: int) -> list[T]:
    """Pick up to `limit` of what is due, in the order of the lanes; `turn` counts the places given out before.

    Every sixteenth place is offered to the lower lanes in rotation before the urgent ones take the rest.
    """
    left = {lane: list(due.get(lane, ())) for lane in Lane}
    fair: list[T] = []
    for place in range(turn, turn + limit):
        if place % FAIR_SHARE == FAIR_SHARE - 1:
            start = place // FAIR_SHARE % len(_LOWER)
            for lane in _LOWER[start:] + _LOWER[:start]:
                if left[lane]:
                    fair.append(left[lane].pop(0))
                    break
    urgent = [item for lane in Lane for item in left[lane]]
    return urgent[: limit - len(fair)] + fair
