"""Whether this process can do its work now, and what operators should know although it can."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pytz

from gateway.errors import Unavailable
from gateway.localization.catalogs import CatalogLibrary
from gateway.ports import Clock, ConditionStore, StoreCondition
from gateway.rendering.registry import TemplateLibrary

_TIMEZONES: Final = str(vars(pytz)["OLSON_VERSION"])
_BELIEVED_SECONDS: Final = 1.0
_PATIENCE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """The answer of one check."""

    store: StoreCondition | None
    """None when it cannot commit."""
    store_problem: str | None
    is_working: bool | None
    """Whether the worker claims what is due; None where this process has none."""
    is_connected: bool | None
    """Whether Redis carries rings; without it the sweeps deliver. None where none is used."""
    broken_catalogs: Mapping[str, str]
    """Locale → what is wrong; the last good one serves, if there was one."""
    broken_templates: Mapping[str, str]
    is_draining: bool
    """It was told to stop, and finishes what it has begun."""
    warnings: tuple[str, ...]
    """What operators should know of the store and of what is sent."""
    timezone_database: str
    """Release of the IANA database, such as `2026b`."""

    @property
    def is_ready(self) -> bool:
        """Whether messages are taken and handed over; no broken text, warning or absent Redis stops that."""
        is_stopping = self.is_draining or self.is_working is False
        return self.store is not None and self.store.is_current and not is_stopping


class ReadinessCheck:
    """Asks the store by a real commit, at most once a second however often it is asked itself."""

    def __init__(
        self,
        *,
        store: ConditionStore,
        templates: TemplateLibrary,
        catalogs: CatalogLibrary,
        clock: Clock,
        warn: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._store = store
        self._templates = templates
        self._catalogs = catalogs
        self._clock = clock
        self._warn = warn
        self._is_working: Callable[[], bool] | None = None
        self._is_connected: Callable[[], bool] | None = None
        self._is_draining = False
        self._asking = asyncio.Lock()
        self._asked_at: float | None = None
        self._condition: StoreCondition | None = None
        self._problem: str | None = None

    def watch(self, is_working: Callable[[], bool]) -> None:
        """This process has a worker; ask so whether it works."""
        self._is_working = is_working

    def watch_queue(self, is_connected: Callable[[], bool] | None) -> None:
        """Rings go through Redis; ask so whether it is there. None where they do not."""
        self._is_connected = is_connected

    def drain(self) -> None:
        """This process was told to stop: from now on it is not ready."""
        self._is_draining = True

    async def check(self) -> Readiness:
        """How it stands now; never raises for what it finds."""
        async with self._asking:
            now = self._clock.monotonic()
            if self._asked_at is None or now - self._asked_at >= _BELIEVED_SECONDS:
                await self._probe()
                self._asked_at = self._clock.monotonic()
        return Readiness(
            store=self._condition,
            store_problem=self._problem,
            is_working=None if self._is_working is None else self._is_working(),
            is_connected=None if self._is_connected is None else self._is_connected(),
            is_draining=self._is_draining,
            broken_catalogs=self._catalogs.snapshot.broken,
            broken_templates=self._templates.snapshot.broken,
            warnings=(*(() if self._condition is None else self._condition.warnings), *self._warn()),
            timezone_database=_TIMEZONES,
        )

    async def _probe(self) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                self._condition, self._problem = await self._store.probe(), None
        except Unavailable as error:
            self._condition, self._problem = None, error.message
        except TimeoutError:
            self._condition, self._problem = None, f"no commit within {_PATIENCE_SECONDS:g} s"
