"""How often and how long an endpoint is tried: pure functions of what is known of it.

A notice that was not taken is due again after a while, longer each time, for days. An endpoint that takes nothing is
left alone as a whole, and then tried with one notice: however much waits for it, it costs one call each time.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from gateway.domain.ids import EndpointId, ServiceId
from gateway.domain.values import Value, replace
from gateway.domain.webhooks import DisabledReason, Endpoint, Failure, Notice
from gateway.ports import CallAnswer, Fate

_PAUSED_AFTER: Final = 3
"""So many failures in a row are the endpoint's; fewer may be an event's own."""
_LONGEST_PAUSE: Final = timedelta(minutes=10)
"""After it an endpoint that works again waits no longer."""
_OF_ENDPOINT: Final = 8
_OF_SERVICE: Final = 16
"""Calls under way at once from one process: a slow endpoint holds up itself, then its service, and nobody else."""
GONE: Final = 410


class Pacing(Value, frozen=True, kw_only=True):
    """How hard and how long it is tried."""

    first: timedelta
    """The pause after the first call that failed; doubled by each further one."""
    longest: timedelta
    give_up_after: timedelta
    """From putting out to the last try."""
    disable_after: timedelta
    """So long an endpoint may take nothing."""


def is_taken(answer: CallAnswer) -> bool:
    """Whether the endpoint has the notice. A redirect is none of its answers: it is not followed."""
    return answer.status is not None and 200 <= answer.status < 300


def fate_of(
    notice: Notice, answer: CallAnswer, pacing: Pacing, now: datetime, chance: float
) -> tuple[Fate, datetime | None]:
    """What becomes of a notice, and when it is due again; `chance` in [0, 1) spreads the tries."""
    if is_taken(answer):
        return Fate.TAKEN, None
    last = notice.created_at + pacing.give_up_after
    if now >= last:
        return Fate.GIVEN_UP, None
    return Fate.AGAIN, min(now + pause(notice.attempts, pacing, chance, answer.retry_after_seconds), last)


def pause(failures: int, pacing: Pacing, chance: float, retry_after_seconds: float | None = None) -> timedelta:
    """Half of the doubled pause, and a random part of the other half; not less than the endpoint asked for."""
    doubled = pacing.first * (1 << min(failures - 1, 20))
    asked = timedelta(seconds=min(retry_after_seconds or 0.0, pacing.longest.total_seconds()))
    return max(min(doubled, pacing.longest) * (0.5 + chance / 2), asked)


def answered(endpoint: Endpoint) -> Endpoint:
    """An endpoint that took a notice: it works."""
    if endpoint.failures == 0:
        return endpoint
    return replace(endpoint, failures=0, failing_since=None, not_before=None)


def failed(endpoint: Endpoint, answer: CallAnswer, pacing: Pacing, now: datetime, chance: float) -> Endpoint:
    """An endpoint that did not take one: left alone for a while, or disabled."""
    failures, since = endpoint.failures + 1, endpoint.failing_since or now
    rest: timedelta | None = None
    if failures >= _PAUSED_AFTER:
        rest = min(pause(failures - _PAUSED_AFTER + 1, pacing, chance), _LONGEST_PAUSE)
    if answer.retry_after_seconds is not None:
        rest = max(rest or timedelta(0), pause(1, pacing, chance, answer.retry_after_seconds))
    failing = replace(
        endpoint,
        failures=failures,
        failing_since=since,
        not_before=None if rest is None else now + rest,
        failure=Failure(at=now, status=answer.status, detail=answer.detail or f"It answered {answer.status}."),
    )
    if not endpoint.enabled:
        return failing
    if answer.status == GONE:
        return _disabled(failing, DisabledReason.GONE, now)
    return _disabled(failing, DisabledReason.FAILING, now) if now - since >= pacing.disable_after else failing


def _disabled(endpoint: Endpoint, reason: DisabledReason, now: datetime) -> Endpoint:
    return replace(endpoint, enabled=False, disabled_reason=reason, changed_at=now)


def enabled(endpoint: Endpoint) -> Endpoint:
    """An endpoint that is to be called from now on, whatever was."""
    return replace(
        endpoint, enabled=True, disabled_reason=None, failures=0, failing_since=None, not_before=None, failure=None
    )


def share(listeners: Sequence[Endpoint], under_way: Iterable[Endpoint], places: int) -> dict[EndpointId, int]:
    """How many calls to begin to each endpoint, of `places` in all, beside those under way.

    Each gets one before any gets two. One that failed lately gets one in all.
    """
    busy, of_service = Counter[EndpointId](), Counter[ServiceId]()
    for endpoint in under_way:
        busy[endpoint.id] += 1
        of_service[endpoint.service_id] += 1
    given = Counter[EndpointId]()
    wanting = list(listeners)
    while wanting and places > 0:
        for endpoint in tuple(wanting):
            most = 1 if endpoint.failures >= _PAUSED_AFTER else _OF_ENDPOINT
            full = busy[endpoint.id] + given[endpoint.id] >= most or of_service[endpoint.service_id] >= _OF_SERVICE
            if full or places == 0:
                wanting.remove(endpoint)
                continue
            given[endpoint.id] += 1
            of_service[endpoint.service_id] += 1
            places -= 1
    return {endpoint_id: count for endpoint_id, count in given.items() if count}
