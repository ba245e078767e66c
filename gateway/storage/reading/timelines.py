"""Where a page of a timeline ended: by the number of each event, of which an earlier one may come to be seen later.

Numbers are given out when an event is written, and seen when its transaction is done: of two transactions on
PostgreSQL the one that began first may end last. So a cursor does not forget what it has shown lately.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gateway.storage import tables
from gateway.storage.cursors import make_cursor, read_cursor
from gateway.storage.engines.statements import Row

_LATELY: Final = timedelta(minutes=1) // timedelta(microseconds=1)
"""Longer than any transaction that writes events takes."""
_REMEMBERED: Final = 40
"""Numbers that a cursor names at most; it is to stay short."""
_AT: Final = tables.events.columns.keys().index("at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """All up to `after` was shown or will never be, and of what lies beyond these."""

    after: int = 0
    shown: frozenset[int] = frozenset()

    def past(self, rows: Sequence[Row]) -> "Place":
        """The place behind these rows, in the order of their numbers; each begins with its own."""
        lately = max(row[_AT] for row in rows) - _LATELY
        settled = [row[0] for row in rows if row[_AT] < lately]
        after = max([self.after, *settled])
        shown = sorted(number for number in (*self.shown, *(row[0] for row in rows)) if number > after)
        if len(shown) > _REMEMBERED:
            after = shown[-_REMEMBERED - 1]
            shown = shown[-_REMEMBERED:]
        return Place(after=after, shown=frozenset(shown))

    def cursor(self) -> str:
        """It, as text."""
        # Distances are short where numbers are long.
        return make_cursor(self.after, " ".join(str(number - self.after) for number in sorted(self.shown)))


def read_place(cursor: str) -> Place:
    """What `Place.cursor` wrote. Raises InvalidRequest for what it did not write."""
    after, distances = read_cursor(cursor, int, str)
    assert isinstance(after, int)
    shown = [int(part) for part in str(distances).split() if part.isascii() and part.isdecimal()]
    return Place(after=after, shown=frozenset(after + distance for distance in shown[:_REMEMBERED]))
