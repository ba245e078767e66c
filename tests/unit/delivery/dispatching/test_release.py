"""An opening lets go over a span: each at its own place, the urgent first, and never where it would be too late."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.dispatching.release import opens_for_many, release_at
from gateway.domain.decisions import Hold
from gateway.domain.ids import DELIVERY, DeliveryId, make_id
from gateway.domain.messages import Lane
from gateway.domain.rules import Calendar, FrequencyCap, RuleSet
from tests.factories import NOW

SPAN = timedelta(minutes=5)
MANY = 2_000


def always(_: datetime) -> bool:
    return True


def places(lane: Lane, count: int = MANY) -> list[float]:
    """Where that many deliveries of a lane go in the span, from 0 to 1."""
    ids = [DeliveryId(make_id(DELIVERY, NOW)) for _ in range(count)]
    return [(release_at(NOW, one, lane, SPAN, always) - NOW) / SPAN for one in ids]


def hold(reason: str, rule: str = "night") -> Hold:
    return Hold(not_before=NOW, reason=reason, rule=rule, trace=())


def test_codes_go_at_once_then_what_is_urgent_then_the_rest() -> None:
    critical, high, normal = (places(lane) for lane in (Lane.CRITICAL, Lane.HIGH, Lane.NORMAL))

    assert set(critical) == {0.0}
    assert 0 < max(high) < 0.1 <= min(normal)


@pytest.mark.parametrize("lane", [Lane.NORMAL, Lane.LOW])
def test_the_slope_is_even(lane: Lane) -> None:
    drawn = places(lane)

    tenths = [sum(0.1 * tenth <= place < 0.1 * (tenth + 1) for place in drawn) for tenth in range(10)]
    # Nine even parts: four standard deviations of a binomial draw on either side.
    assert tenths[0] == 0
    assert all(abs(part - MANY / 9) < 4 * (MANY / 9) ** 0.5 for part in tenths[1:])


@given(number=st.integers(0, 10_000), lane=st.sampled_from(Lane), seconds=st.integers(0, 3_600))
def test_the_place_is_always_the_same_and_never_before_the_opening(number: int, lane: Lane, seconds: int) -> None:
    span, one = timedelta(seconds=seconds), DeliveryId(f"dlv_{number}")

    drawn = release_at(NOW, one, lane, span, always)

    assert drawn == release_at(NOW, one, lane, span, always)
    assert NOW <= drawn <= NOW + span


@given(number=st.integers(0, 10_000), seconds=st.integers(1, 600))
def test_nothing_is_put_off_past_the_end_of_the_open_hours(number: int, seconds: int) -> None:
    end = NOW + timedelta(seconds=seconds)

    drawn = release_at(NOW, DeliveryId(f"dlv_{number}"), Lane.NORMAL, SPAN, lambda at: at < end)

    assert NOW <= drawn < end


def test_without_a_span_all_go_at_the_opening() -> None:
    assert release_at(NOW, DeliveryId("dlv_1"), Lane.LOW, timedelta(0), always) == NOW


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        pytest.param(hold("quiet_hours"), True, id="hours"),
        pytest.param(hold("frequency_cap", "daily"), True, id="calendar"),
        pytest.param(hold("frequency_cap", "rolling"), False, id="rolling"),
        pytest.param(hold("scheduled", "schedule"), False, id="chosen"),
    ],
)
def test_only_what_opens_for_many_is_spread(held: Hold, expected: bool) -> None:
    caps = tuple(
        FrequencyCap(name=name, limit=1, per=per, origin="settings")
        for name, per in (("daily", Calendar.DAY), ("rolling", timedelta(hours=24)))
    )

    assert opens_for_many(held, RuleSet(frequency_caps=caps)) is expected
