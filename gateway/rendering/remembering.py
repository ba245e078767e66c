"""What was worked out from templates and catalogs is remembered, and forgotten once later versions were asked for."""

from collections.abc import Callable, Hashable, Iterator
from typing import Final, Generic, TypeVar

V = TypeVar("V")

_VERSIONS: Final = 2
"""Messages that are on their way while something is published stay with the version before."""


class Remembered(Generic[V]):
    """Of each of up to `most` things its newest versions; where there are more, those that were first met go first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: dict[Hashable, dict[Hashable, V]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._found.values()))

    def __iter__(self) -> Iterator[V]:
        for versions in self._found.values():
            yield from versions.values()

    def get(self, thing: Hashable, version: Hashable, work_out: Callable[[], V]) -> V:
        """What `work_out` made, or makes now, of this version; what it raises is not remembered."""
        versions = self._found.get(thing)
        if versions is not None and version in versions:
            return versions[version]
        made = work_out()
        if versions is None:
            if len(self._found) >= self._most:
                del self._found[next(iter(self._found))]
            versions = self._found[thing] = {}
        elif len(versions) >= _VERSIONS:
            del versions[next(iter(versions))]
        versions[version] = made
        return made
