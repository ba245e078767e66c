"""Who opened and who clicked: people, or the programs that load images and try links before them."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.engagement import (
    Engagement,
    EngagementKind,
    Look,
    Maker,
    followed_together,
    judge,
    tally,
)
from gateway.domain.ids import DeliveryId, EngagementId, MessageId
from gateway.domain.preferences import Category
from gateway.domain.values import replace
from tests.factories import NOW

DELIVERY = DeliveryId("dlv_1")
MINUTE = timedelta(minutes=1)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def look(**changes: Any) -> Look:
    one = Look(
        kind=EngagementKind.CLICKED,
        delivery_id=DELIVERY,
        target="https://shop.example/a",
        method="GET",
        user_agent=FIREFOX,
        at=NOW,
        among=frozenset(Category),
    )
    return replace(one, **changes)


def clicked(url: str, seconds: float = 0, **changes: Any) -> Engagement:
    one = Engagement(
        id=EngagementId(f"eng_{url}"),
        message_id=MessageId("msg_1"),
        delivery_id=DELIVERY,
        kind=EngagementKind.CLICKED,
        made_by=Maker.PERSON,
        at=NOW + timedelta(seconds=seconds),
        data={"url": url},
    )
    return replace(one, **changes)


@pytest.mark.parametrize(
    ("agent", "made_by"),
    [
        (FIREFOX, Maker.PERSON),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
            " Version/18.5 Mobile/15E148 Safari/604.1",
            Maker.PERSON,
        ),
        (
            "Mozilla/5.0 (Linux; Android 13; CUBOT P80) AppleWebKit/537.36 Chrome/138.0 Mobile Safari/537.36",
            Maker.PERSON,
        ),
        ("Mozilla/4.0 (compatible; ms-office; MSOffice rmj)", Maker.PERSON),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Thunderbird/140.0", Maker.PERSON),
        ("Mozilla/5.0", Maker.APPLE_PROXY),
        (
            "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
            Maker.GMAIL_PROXY,
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135"
            " Safari/537.36 Edge/12.246 Mozilla/5.0",
            Maker.GMAIL_PROXY,
        ),
        ("", Maker.SCANNER),
        ("curl/8.5.0", Maker.SCANNER),
        ("python-requests/2.32.3", Maker.SCANNER),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", Maker.SCANNER),
        ("Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; BingPreview/1.0b) Safari/537.36", Maker.SCANNER),
        ("Barracuda Sentinel (EE)", Maker.SCANNER),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/138.0.0.0 Safari/537.36", Maker.SCANNER),
    ],
)
def test_programs_are_known_by_what_they_call_themselves(agent: str, made_by: Maker) -> None:
    assert judge(look(user_agent=agent), NOW - MINUTE) is made_by


@pytest.mark.parametrize(
    ("changes", "sent_at", "made_by"),
    [
        ({"method": "HEAD"}, NOW - MINUTE, Maker.SCANNER),
        ({"purpose": "prefetch;prerender"}, NOW - MINUTE, Maker.SCANNER),
        ({}, NOW - timedelta(seconds=4.9), Maker.SCANNER),
        ({}, NOW - timedelta(seconds=5), Maker.PERSON),
        ({}, None, Maker.PERSON),
        ({"user_agent": "Mozilla/5.0"}, NOW, Maker.APPLE_PROXY),
    ],
    ids=["asks for no body", "says that it fetches ahead", "too soon", "soon", "nobody knows when", "soon, but named"],
)
def test_nobody_is_taken_for_a_person_who_cannot_be_one(changes: dict[str, Any], sent_at: Any, made_by: Maker) -> None:
    assert judge(look(**changes), sent_at) is made_by


def test_only_other_links_of_the_same_delivery_within_two_seconds_are_followed_together() -> None:
    other, same = clicked("https://shop.example/b", -1.5), clicked("https://shop.example/a", -1)
    late, elsewhere = (
        clicked("https://shop.example/c", -2),
        clicked("https://shop.example/d", delivery_id=DeliveryId("dlv_2")),
    )
    opened = replace(other, kind=EngagementKind.OPENED)
    all_of_them = [other, same, late, elsewhere, opened]

    assert followed_together(look(), all_of_them) == [other]
    assert followed_together(look(kind=EngagementKind.OPENED, target=None), all_of_them) == []


def test_people_and_machines_are_counted_apart() -> None:
    counts = [
        (EngagementKind.OPENED, Maker.PERSON, 2),
        (EngagementKind.OPENED, Maker.APPLE_PROXY, 5),
        (EngagementKind.OPENED, Maker.GMAIL_PROXY, 1),
        (EngagementKind.CONVERTED, Maker.PERSON, 1),
    ]

    assert tally(counts) == {
        EngagementKind.OPENED: (2, 6),
        EngagementKind.CLICKED: (0, 0),
        EngagementKind.CONVERTED: (1, 0),
    }
