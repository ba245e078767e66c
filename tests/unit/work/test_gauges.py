"""What waits, as Prometheus is told."""

from datetime import datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from gateway.domain.messages import Lane
from gateway.domain.recipients import Channel
from gateway.errors import Unavailable
from gateway.metrics import Metrics
from gateway.ports import Waiting
from gateway.work.gauges import AGES, Gauges, age_of
from tests.factories import NOW
from tests.fakes import SetClock
from tests.waiting import eventually

NOTHING = Waiting(oldest_due={}, held={}, unknown_since=())


class Told:
    """A store that tells what it was given, or is away."""

    def __init__(self, *answers: Waiting | Unavailable) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def times_asked(self) -> int:
        return self.asked

    async def waiting(self, now: datetime) -> Waiting:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Unavailable):
            raise answer
        return answer


def shown(registry: CollectorRegistry, name: str) -> dict[tuple[str, ...], float]:
    return {
        tuple(sample.labels.values()): sample.value
        for family in registry.collect()
        if family.name == name
        for sample in family.samples
    }


def gauges(store: Told, metrics: Metrics) -> Gauges:
    return Gauges(store=store, clock=SetClock(), metrics=metrics)


async def test_endpoints_are_shown_in_every_state_and_what_waits_for_them() -> None:
    metrics = Metrics()
    waiting = Waiting(oldest_due={}, held={}, unknown_since=(), endpoints={"working": 2, "disabled": 1}, notices=7)

    await gauges(Told(waiting), metrics).read()

    states = {("working",): 2.0, ("failing",): 0.0, ("disabled",): 1.0, ("off",): 0.0}
    assert shown(metrics.registry, "heliograph_webhook_endpoints") == states
    assert shown(metrics.registry, "heliograph_webhook_notices") == {(): 7.0}


async def test_the_longest_wait_is_shown_for_each_channel_and_priority() -> None:
    metrics = Metrics()
    oldest = {(Channel.SMS, Lane.CRITICAL): NOW - timedelta(seconds=3), (Channel.EMAIL, Lane.LOW): NOW}

    await gauges(Told(Waiting(oldest_due=oldest, held={}, unknown_since=())), metrics).read()

    assert shown(metrics.registry, "heliograph_oldest_due_seconds") == {("sms", "critical"): 3.0, ("email", "low"): 0.0}


async def test_what_no_longer_waits_is_no_longer_shown() -> None:
    metrics = Metrics()
    waiting = Waiting(oldest_due={(Channel.SMS, Lane.HIGH): NOW}, held={"cap": 4}, unknown_since=())
    reading = gauges(Told(waiting, NOTHING), metrics)

    await reading.read()
    held = shown(metrics.registry, "heliograph_deliveries_held")
    await reading.read()

    assert held == {("cap",): 4.0}
    assert shown(metrics.registry, "heliograph_deliveries_held") == {}
    assert shown(metrics.registry, "heliograph_oldest_due_seconds") == {}


async def test_unknown_deliveries_are_counted_by_age() -> None:
    metrics = Metrics()
    since = tuple(NOW - timedelta(minutes=minutes) for minutes in (0, 14, 15, 59, 60, 60 * 24))

    await gauges(Told(Waiting(oldest_due={}, held={}, unknown_since=since)), metrics).read()

    counts = shown(metrics.registry, "heliograph_deliveries_unknown")
    assert counts == {("under_15m",): 2.0, ("under_1h",): 2.0, ("under_1d",): 1.0, ("older",): 1.0}


@pytest.mark.parametrize(("passed", "age"), [(timedelta(days=-1), "under_15m"), (timedelta(days=9_999), "older")])
def test_every_age_has_a_name_even_after_the_clock_was_set_back(passed: timedelta, age: str) -> None:
    assert age_of(passed) == age
    assert age in AGES


async def test_a_store_that_is_away_leaves_the_gauges_as_they_are_and_the_reading_goes_on() -> None:
    metrics = Metrics()
    store = Told(Unavailable("away"))

    async with gauges(store, metrics) as reading:
        await eventually(store.times_asked, lambda times: times == 1)
        store.answers = [NOTHING]
        await reading.read()

    assert shown(metrics.registry, "heliograph_deliveries_unknown") == {(age,): 0.0 for age in AGES}
