"""What the processes hold on to while they work: resident memory, descriptors, the length of the WAL."""

import resource
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from tests.faults.house import House
from tests.faults.stores import SqliteView

_LITTLE: Final = {"memory_bytes": 64e6, "descriptors": 200, "wal_bytes": 16e6}
_WARM: Final = 0.2
"""The first part of the time, in which caches and pools fill, is not counted."""


class Watch:
    """Looks now and then, and compares how it began with how it ended."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._looked: list[dict[str, float]] = []
        self._last = 0.0

    def look_each(self, seconds: float) -> None:
        """Look, unless that was done within so many seconds."""
        if time.monotonic() - self._last >= seconds:
            self._last = time.monotonic()
            self._looked.append(self._look())

    def growth(self) -> dict[str, float]:
        """By what factor each figure grew: the median of the last quarter over that of the first after the warm-up.

        What is below `_LITTLE` is taken for that much: a handful of connections more is no leak.
        """
        warm = self._looked[int(len(self._looked) * _WARM) :]
        quarter = max(len(warm) // 4, 1)
        first, last = warm[:quarter], warm[-quarter:]
        return {f"{name}_growth": round(_level(last, name) / _level(first, name), 2) for name in _LITTLE if warm}

    def _look(self) -> dict[str, float]:
        seen = {"memory_bytes": 0.0, "descriptors": 0.0, "wal_bytes": 0.0}
        for member in self._house.members:
            process = Path(f"/proc/{member.pid}")
            seen["memory_bytes"] += int((process / "statm").read_text().split()[1]) * resource.getpagesize()
            seen["descriptors"] += len(list((process / "fd").iterdir()))
        if isinstance(self._house.view, SqliteView):
            seen["wal_bytes"] = Path(f"{self._house.view.path}-wal").stat().st_size
        return seen


def _level(looks: Sequence[Mapping[str, float]], name: str) -> float:
    return max(median(one[name] for one in looks), _LITTLE[name])
