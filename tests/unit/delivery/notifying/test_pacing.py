"""How often and how long endpoints are tried."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.delivery.notifying.pacing import Pacing, answered, enabled, failed, fate_of, share
from gateway.domain.ids import EndpointId, EventId, MessageId, ServiceId
from gateway.domain.values import replace
from gateway.domain.webhooks import DisabledReason, Endpoint, EndpointFilter, Notice, Secret
from gateway.ports import CallAnswer, Fate
from tests.factories import NOW

DAYS = Pacing(
    first=timedelta(seconds=5),
    longest=timedelta(hours=6),
    give_up_after=timedelta(days=3),
    disable_after=timedelta(days=3),
)
DOWN, LOST = CallAnswer(status=503), CallAnswer(status=None, detail="No connection.")


def notice(attempts: int = 1, created_at: datetime = NOW) -> Notice:
    return Notice(
        endpoint_id=EndpointId("whe_1"),
        event_id=EventId("evt_1"),
        message_id=MessageId("msg_1"),
        attempts=attempts,
        created_at=created_at,
    )


def make_endpoint(name: str = "whe_1", service: str = "svc_1", **changes: Any) -> Endpoint:
    endpoint = Endpoint(
        id=EndpointId(name),
        service_id=ServiceId(service),
        url="https://shop.example.org/",
        description=None,
        filters=EndpointFilter(),
        secrets=(Secret(text="whsec_YWJj"),),
        enabled=True,
        disabled_reason=None,
        created_at=NOW,
        changed_at=NOW,
    )
    return replace(endpoint, **changes)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_success_takes_a_notice(status: int) -> None:
    assert fate_of(notice(), CallAnswer(status=status), DAYS, NOW, 0.5) == (Fate.TAKEN, None)


@given(status=st.sampled_from([None, 100, 301, 302, 400, 401, 404, 410, 429, 500, 503]), chance=st.floats(0, 0.99))
@settings(max_examples=50)
def test_what_is_not_taken_is_tried_until_three_days_are_over(status: int | None, chance: float) -> None:
    now, tries, pauses = NOW, 0, []
    while True:
        tries += 1
        fate, due_at = fate_of(notice(tries), CallAnswer(status=status), DAYS, now, chance)
        if due_at is None:
            break
        pauses.append(due_at - now)
        now = due_at

    assert fate is Fate.GIVEN_UP
    assert now == NOW + timedelta(days=3)
    assert 15 <= tries <= 45
    assert timedelta(seconds=2.5) <= pauses[0] <= timedelta(seconds=5)
    assert max(pauses) <= timedelta(hours=6)
    assert pauses[:-1] == sorted(pauses[:-1])


def test_an_endpoint_that_says_when_is_not_called_before() -> None:
    busy = CallAnswer(status=429, retry_after_seconds=90)

    _, due_at = fate_of(notice(), busy, DAYS, NOW, 0.5)
    paused = failed(make_endpoint(), busy, DAYS, NOW, 0.5)

    assert due_at == paused.not_before == NOW + timedelta(seconds=90)


def test_an_endpoint_cannot_ask_to_be_left_alone_for_ever() -> None:
    _, due_at = fate_of(notice(), CallAnswer(status=503, retry_after_seconds=1e9), DAYS, NOW, 0.5)

    assert due_at == NOW + DAYS.longest


def test_two_failures_may_be_the_events_own_and_three_are_the_endpoints() -> None:
    after = [make_endpoint()]
    for _ in range(3):
        after.append(failed(after[-1], DOWN, DAYS, NOW, 0.5))

    assert [one.not_before is not None for one in after] == [False, False, False, True]
    assert (after[-1].failing_since, after[-1].failure is not None) == (NOW, True)
    assert answered(after[-1]).failures == 0
    assert answered(after[-1]).not_before is None


@given(failures=st.integers(3, 500), chance=st.floats(0, 0.99))
@settings(max_examples=50)
def test_an_endpoint_is_never_left_alone_for_more_than_ten_minutes(failures: int, chance: float) -> None:
    paused = failed(make_endpoint(failures=failures, failing_since=NOW), LOST, DAYS, NOW, chance)

    assert paused.not_before is not None
    assert timedelta(0) < paused.not_before - NOW <= timedelta(minutes=10)


def test_an_endpoint_that_took_nothing_for_three_days_is_disabled() -> None:
    failing = make_endpoint(failures=9, failing_since=NOW)

    almost = failed(failing, LOST, DAYS, NOW + timedelta(days=3, seconds=-1), 0.5)
    over = failed(failing, LOST, DAYS, NOW + timedelta(days=3), 0.5)

    assert (almost.enabled, over.enabled, over.disabled_reason) == (True, False, DisabledReason.FAILING)
    assert over.failure is not None
    assert over.failure.detail == "No connection."


def test_an_endpoint_that_is_gone_is_disabled_at_once_and_starts_afresh_once_enabled() -> None:
    gone = failed(make_endpoint(), CallAnswer(status=410), DAYS, NOW, 0.5)

    assert (gone.enabled, gone.disabled_reason) == (False, DisabledReason.GONE)
    assert enabled(gone) == make_endpoint()


def test_a_late_failure_leaves_one_that_was_turned_off_as_it_is() -> None:
    off = make_endpoint(enabled=False, disabled_reason=DisabledReason.BY_HAND)

    assert failed(off, CallAnswer(status=410), DAYS, NOW, 0.5).disabled_reason is DisabledReason.BY_HAND


def test_places_go_round_before_anybody_gets_two() -> None:
    one, two, three = (make_endpoint(f"whe_{name}", f"svc_{name}") for name in "abc")

    assert share([one, two, three], [], 4) == {"whe_a": 2, "whe_b": 1, "whe_c": 1}


def test_an_endpoint_that_fails_gets_one_call_in_all() -> None:
    failing = make_endpoint(failures=3)

    assert share([failing], [], 64) == {"whe_1": 1}
    assert share([failing], [failing], 64) == {}


@given(
    services=st.lists(st.integers(0, 2), min_size=1, max_size=12),
    busy=st.lists(st.integers(0, 8), min_size=12, max_size=12),
    places=st.integers(0, 64),
)
@settings(max_examples=60)
def test_no_service_takes_the_places_of_others(services: list[int], busy: list[int], places: int) -> None:
    endpoints = [make_endpoint(f"whe_{number}", f"svc_{service}") for number, service in enumerate(services)]
    at_work = {one.id: busy[number] for number, one in enumerate(endpoints)}
    listeners = endpoints[::2]

    given_ = share(listeners, [one for one in endpoints for _ in range(at_work[one.id])], places)

    assert sum(given_.values()) <= places
    assert all(given_[one] + at_work[one] <= 8 for one in given_)
    for service in {one.service_id for one in endpoints}:
        own = [one.id for one in endpoints if one.service_id == service]
        begun = sum(given_.get(one, 0) for one in own)
        assert begun == 0 or begun + sum(at_work[one] for one in own) <= 16
