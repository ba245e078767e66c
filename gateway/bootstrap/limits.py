"""What providers are held to: by each process on its own, or by all that share a Redis."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Final

from gateway.delivery.dispatching.limits import OwnLimits
from gateway.delivery.dispatching.pacing import Pacing
from gateway.domain.rates import parse_rate_over
from gateway.ports import Clock, Limit, Limits
from gateway.settings import Settings
from gateway.settings.providers import MailboxProviderSettings

_AFTER_CALL_SECONDS: Final = 60.0
"""What a call that is counted may take beyond its time-out, with all that is written before it."""


async def open_pacing(settings: Settings, clock: Clock, chance: Callable[[], float], stack: AsyncExitStack) -> Pacing:
    """The limits that the settings name; without any nobody is asked."""
    accounts = {name: one for name, one in settings.providers.items() if not isinstance(one, MailboxProviderSettings)}
    limits = {
        name: Limit(
            rate=None if one.rate is None else parse_rate_over(one.rate),
            concurrency=one.concurrency,
            lease_seconds=one.timeout.total_seconds() + _AFTER_CALL_SECONDS,
        )
        for name, one in accounts.items()
        if one.rate is not None or one.concurrency is not None
    }
    counting: Limits = OwnLimits(clock)
    if limits and settings.queue.url:
        # As with the bells: whoever needs no client of Redis goes without.
        from gateway.work.limits import RedisLimits  # noqa: PLC0415

        counting = await stack.enter_async_context(RedisLimits(settings.queue.url, counting, clock))
    return Pacing(counting, limits, clock, chance)
