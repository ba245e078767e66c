"""Wall times, gaps and overlaps held against zoneinfo; expiry rules by table."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.accepting.schedule import WrongSchedule, instants_of, settle_expiry, settle_send_at
from gateway.domain.messages import LocalTime
from gateway.domain.preferences import Category
from tests.factories import NOW, make_recipient, make_request

HOUR = timedelta(hours=1)
ZONES = ["Europe/Paris", "America/Toronto", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "Europe/Dublin"]
WALL_TIMES = st.datetimes(
    min_value=datetime.fromisoformat("2005-01-01"), max_value=datetime.fromisoformat("2036-12-31")
).map(lambda local: local.replace(microsecond=0))


def _local(text: str, timezone: str = "recipient") -> LocalTime:
    return LocalTime(local=datetime.fromisoformat(text), timezone=timezone)


@given(local=WALL_TIMES, zone=st.sampled_from(ZONES))
def test_a_wall_time_means_the_instants_that_zoneinfo_knows(local: datetime, zone: str) -> None:
    expected = set()
    for fold in (0, 1):
        instant = local.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(NOW.tzinfo)
        if instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == local:
            expected.add(instant)

    assert instants_of(local, zone) == tuple(sorted(expected))


@pytest.mark.parametrize(
    ("request_zone", "stored_zone", "asked", "expected"),
    [
        pytest.param("America/Toronto", None, _local("2026-12-01T09:00"), "2026-12-01T14:00:00+00:00", id="inline"),
        pytest.param(None, "Asia/Tokyo", _local("2026-12-01T09:00"), "2026-12-01T00:00:00+00:00", id="stored"),
        pytest.param(None, None, _local("2026-12-01T09:00"), "2026-12-01T09:00:00+00:00", id="default"),
        pytest.param(
            None, None, _local("2026-12-01T09:00", "Europe/Paris"), "2026-12-01T08:00:00+00:00", id="named zone"
        ),
        pytest.param(
            "Europe/Paris", None, _local("2027-10-31T02:30"), "2027-10-31T00:30:00+00:00", id="overlap takes the first"
        ),
    ],
)
def test_a_local_send_time_follows_the_best_known_zone(
    request_zone: str | None, stored_zone: str | None, asked: LocalTime, expected: str
) -> None:
    request = make_request(to=make_recipient(timezone=request_zone), send_at=asked)

    settled = settle_send_at(request, stored_zone, "UTC", NOW)

    assert settled == datetime.fromisoformat(expected)


def test_a_wall_time_in_a_gap_is_refused_where_the_zone_is_known() -> None:
    request = make_request(send_at=_local("2027-03-28T02:30", "Europe/Paris"))

    with pytest.raises(WrongSchedule) as refused:
        settle_send_at(request, None, "UTC", NOW)

    assert refused.value.problem.pointer == "/send_at/local"
    assert refused.value.problem.code == "nonexistent_local_time"


def test_a_gap_in_the_default_zone_is_only_stepped_over() -> None:
    request = make_request(to=make_recipient(timezone=None), send_at=_local("2027-03-28T02:30"))

    settled = settle_send_at(request, None, "Europe/Paris", NOW)

    assert settled == datetime.fromisoformat("2027-03-28T01:30:00+00:00")


@pytest.mark.parametrize(
    ("category", "after", "send_at", "expected"),
    [
        pytest.param(Category.CRITICAL, None, None, NOW + timedelta(minutes=10), id="critical lives ten minutes"),
        pytest.param(Category.MARKETING, None, None, NOW + timedelta(days=3), id="others three days"),
        pytest.param(Category.TRANSACTIONAL, 2 * HOUR, None, NOW + 2 * HOUR, id="the template's own"),
        pytest.param(
            Category.TRANSACTIONAL, None, NOW + HOUR, NOW + HOUR + timedelta(days=3), id="counted from send_at"
        ),
        pytest.param(Category.TRANSACTIONAL, HOUR, NOW - 5 * HOUR, NOW + HOUR, id="a send_at gone by counts from now"),
    ],
)
def test_an_expiry_left_out_comes_from_template_or_category(
    category: Category, after: timedelta | None, send_at: datetime | None, expected: datetime
) -> None:
    assert settle_expiry(None, after, category, send_at, NOW) == expected


@pytest.mark.parametrize(
    ("asked", "send_at", "code"),
    [
        pytest.param(NOW, None, "in_the_past", id="now"),
        pytest.param(NOW + HOUR, NOW + HOUR, "before_send_at", id="at send_at"),
        pytest.param(NOW + timedelta(days=4000), None, "too_far", id="in ten years"),
    ],
)
def test_an_expiry_before_which_nothing_can_go_is_refused(asked: datetime, send_at: datetime | None, code: str) -> None:
    with pytest.raises(WrongSchedule) as refused:
        settle_expiry(asked, None, Category.TRANSACTIONAL, send_at, NOW)

    assert refused.value.problem.code == code
