"""What the processes hold on to while they work: resident memory, descriptors, the length of the WAL."""

import time
from pathlib import Path
from statistics import median
from typing import Final

from tests.faults.house import House
from tests.faults.stores import SqliteView

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
        """By what factor each figure grew: the median of the last quarter over that of the first after the warm-up."""
        warm = self._looked[int(len(self._looked) * _WARM) :]
        quarter = max(len(warm) // 4, 1)
        first, last = warm[:quarter], warm[-quarter:]
        if not warm:
            return {}
        return {
            f"{name}_growth": round(median(one[name] for one in last) / (median(one[name] for one in first) or 1), 2)
            for name in warm[0]
        }

    def _look(self) -> dict[str, float]:
        seen = {"memory": 0.0, "descriptors": 0.0}
        for member in self._house.members:
            process = Path(f"/proc/{member.pid}")
            seen["memory"] += int((process / "statm").read_text().split()[1])
            seen["descriptors"] += len(list((process / "fd").iterdir()))
        if isinstance(self._house.view, SqliteView):
            seen["wal"] = Path(f"{self._house.view.path}-wal").stat().st_size
        return seen
