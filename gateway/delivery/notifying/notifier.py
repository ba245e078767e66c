"""One call to one endpoint: signed, judged and written down."""

from collections.abc import Callable, Mapping

import structlog

from gateway.delivery.notifying.bodies import CONTENT_TYPE, body_of
from gateway.delivery.notifying.pacing import Pacing, answered, failed, fate_of, is_taken
from gateway.domain.webhooks import Endpoint, Notice, sign
from gateway.metrics import Metrics
from gateway.ports import CallAnswer, Called, Clock, EndpointCaller, Fate, NoticeStore, Told

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Notifier:
    """Calls notices out. Each is called out until its endpoint has it: at least once, under one id."""

    def __init__(
        self,
        *,
        store: NoticeStore,
        caller: EndpointCaller,
        pacing: Pacing,
        source: str,
        clock: Clock,
        chance: Callable[[], float],
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._caller = caller
        self._pacing = pacing
        self._source = source
        """CloudEvents' `source`: this gateway, by its public address."""
        self._clock = clock
        self._chance = chance
        self._metrics = metrics

    async def call(self, endpoint: Endpoint, notice: Notice, told: Told | None) -> None:
        """Call a notice out and write down what it came to; of what is kept no longer nothing is told.

        Raises Unavailable.
        """
        if told is None:
            await self._settle(Called(notice=notice, fate=Fate.VOID, at=self._clock.now(), then=_same))
            return
        began = self._clock.monotonic()
        answer = await post_signed(self._caller, endpoint, (notice.event_id, body_of(told, self._source)), self._clock)
        self._metrics.webhook_seconds.observe(self._clock.monotonic() - began)
        now, chance = self._clock.now(), self._chance()
        fate, due_at = fate_of(notice, answer, self._pacing, now, chance)
        if is_taken(answer):
            await self._settle(Called(notice=notice, fate=fate, at=now, then=answered))
            return

        def then(one: Endpoint) -> Endpoint:
            return failed(one, answer, self._pacing, now, chance)

        await self._settle(Called(notice=notice, fate=fate, at=now, due_at=due_at, then=then))
        _log.info(
            "notice.not_taken",
            endpoint=endpoint.id,
            notice=notice.event_id,
            attempts=notice.attempts,
            status=answer.status,
            fate=fate.value,
        )

    async def _settle(self, called: Called) -> None:
        endpoint = await self._store.settle(called)
        outcome = "failed" if called.fate is Fate.AGAIN else called.fate.value
        self._metrics.webhook_calls.labels(outcome).inc()
        if endpoint is not None and not endpoint.enabled and endpoint.changed_at == called.at:
            _log.error("endpoint.disabled", endpoint=endpoint.id, reason=endpoint.disabled_reason)


def _same(endpoint: Endpoint) -> Endpoint:
    return endpoint


async def post_signed(caller: EndpointCaller, endpoint: Endpoint, event: tuple[str, bytes], clock: Clock) -> CallAnswer:
    """Call an endpoint with the id and the body of an event, signed with each of its secrets that counts now."""
    event_id, body = event
    now = clock.now()
    signature: Mapping[str, str] = sign(endpoint.signing(now), event_id, now, body)
    return await caller.post(endpoint.url, {"Content-Type": CONTENT_TYPE, **signature}, body)
