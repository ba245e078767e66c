"""A person's slots as the store keeps them: each once, however many caps count it.

Most caps count the same messages. So a row holds groups: slots, and the counters that hold just these. Reading one
makes a handful of values, all of them short-lived.
"""

from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from operator import neg
from typing import Final

import msgspec

from gateway.domain.ids import DeliveryId
from gateway.domain.slots import SlotNeed
from gateway.storage.documents import dump


class Slots(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Slots as they are kept, newest first: `[instants, deliveries, those that stay]`."""

    at: tuple[int, ...] = ()
    """Microseconds, as in all tables."""
    deliveries: tuple[str, ...] = ()
    """Whose each of them is."""
    stay: tuple[str, ...] = ()
    """Deliveries an earlier call of which may have been taken: no later one that was not gives the slot back."""

    def of_others(self, own: DeliveryId) -> tuple[int, ...]:
        """When those were taken that are not this delivery's."""
        return self.without((own,)).at if own in self.deliveries else self.at

    def without(self, deliveries: Collection[str]) -> "Slots":
        """All but those of these deliveries."""
        kept = [(at, one) for at, one in zip(self.at, self.deliveries, strict=True) if one not in deliveries]
        return Slots(
            tuple([at for at, _ in kept]),
            tuple([one for _, one in kept]),
            tuple([one for one in self.stay if one not in deliveries]),
        )

    def plus(self, own: DeliveryId, at: int, limit: int) -> "Slots":
        """With the delivery's slot at its newest call, and no more than there is a use for."""
        others, stay = self, self.stay
        if own in self.deliveries:
            others = self.without((own,))
            stay = (*others.stay, own)
        # A newer one than all that are there is the rule.
        place = bisect_left(others.at, -at, key=neg) if others.at and at < others.at[0] else 0
        deliveries = (*others.deliveries[:place], own, *others.deliveries[place:])[:limit]
        return Slots(
            (*others.at[:place], at, *others.at[place:])[:limit],
            deliveries,
            tuple([one for one in deliveries if one in stay]) if stay else (),
        )


class Counter(msgspec.Struct, frozen=True, gc=False):
    """A cap's counter."""

    kept_until: int
    """From this instant on none of its slots counts."""
    slots: Slots


NO_COUNTER: Final = Counter(0, Slots())
"""Of a cap that nothing was counted to."""
Counters = Mapping[str, Counter]
"""A person's, by the cap's counter."""
_Groups = tuple[tuple[Slots, dict[str, int]], ...]
_CapByCap = dict[str, tuple[int, tuple[tuple[int, str, bool], ...]]]
"""As they were kept before, cap by cap: such a row is met until its person is written to again."""
_CLOCKS_DIFFER: Final = 3_600_000_000
"""By how many microseconds machines may disagree: what counts for nothing any more is kept for as long."""
_decode: Final = msgspec.json.Decoder(_Groups | _CapByCap).decode


# What a reservation reads was mostly just read for the decision. To remember more would keep old values alive all over
# the memory that new ones come and go in.
@lru_cache(maxsize=128)
def load_counters(text: str) -> Counters:
    """The counters that were dumped."""
    kept = _decode(text)
    if isinstance(kept, dict):
        return {counter: Counter(until, _slots_of(slots)) for counter, (until, slots) in kept.items()}
    return {counter: Counter(until, slots) for slots, counters in kept for counter, until in counters.items()}


def _slots_of(slots: Sequence[tuple[int, str, bool]]) -> Slots:
    return Slots(
        tuple([at for at, _, _ in slots]),
        tuple([one for _, one, _ in slots]),
        tuple([one for _, one, stays in slots if stays]),
    )


def dump_counters(counters: Counters) -> str:
    """As they are kept: `[[slots, {counter: kept_until, …}], …]`."""
    groups: list[tuple[Slots, dict[str, int]]] = []
    for name, counter in counters.items():
        for slots, of_these in groups:
            if slots is counter.slots or slots == counter.slots:
                of_these[name] = counter.kept_until
                break
        else:
            groups.append((counter.slots, {name: counter.kept_until}))
    return dump(groups)


def with_slots(counters: Counters, needs: Sequence[SlotNeed], own: DeliveryId, at: int) -> Counters:
    """With the delivery's slots at its newest call, and without what is of no use any more."""
    kept = {cap: counter for cap, counter in counters.items() if counter.kept_until > at - _CLOCKS_DIFFER}
    before, after, all_fit = None, NO_COUNTER.slots, False
    for need in needs:
        slots = counters.get(need.counter, NO_COUNTER).slots
        fits = len(slots.at) < need.limit
        # Most counters share their slots and have room for one more: then they share those as well.
        if slots is not before or not (fits and all_fit):
            before, after, all_fit = slots, slots.plus(own, at, need.limit), fits
        kept[need.counter] = Counter(at + need.kept_for, after)
    return kept
