"""What explain says and what then happens to the same message are the same, in cases drawn at random."""

import asyncio
import os
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from gateway.delivery.accepting.accept import Accepted
from gateway.domain.ids import RecipientId
from gateway.domain.lifecycle import DeliveryStatus, Strategy
from gateway.domain.messages import Priority, SendRequest
from gateway.domain.preferences import ConsentState, SuppressionReason
from gateway.domain.recipients import Channel, PhoneNumber, Recipient
from tests.factories import make_consent, make_recipient, make_suppression
from tests.fakes import ScriptedProvider, SetClock
from tests.rigs import Rig, open_rig, routes_to
from tests.waiting import eventually

MODES = ("embedded",)

_LONG: Final = bool(os.environ.get("HELIOGRAPH_LONG"))
_PEOPLE: Final = 40
_ROUNDS: Final = 250 if _LONG else 5
"""10,000 cases, or 200."""
HOUR: Final = 3600.0
_WAITING: Final = frozenset({DeliveryStatus.ACCEPTED, DeliveryStatus.QUEUED, DeliveryStatus.SENDING})

WORKDAYS: Final = ["mon", "tue", "wed", "thu", "fri", "sat"]
RULES: Final[Mapping[str, Any]] = {
    "quiet_hours": [
        {"name": "night", "categories": ["marketing", "transactional"], "forbid": [{"from": "21:30", "to": "08:00"}]},
        {
            "name": "sundays",
            "channels": ["sms"],
            "allow": [{"days": WORKDAYS, "from": "09:00", "to": "21:00"}],
            "holidays": "closed",
        },
        {
            "name": "us",
            "countries": ["US"],
            "categories": ["transactional"],
            "allow": [{"from": "09:00", "to": "18:00"}],
        },
        {
            "name": "tea",
            "countries": ["AU", "US"],
            "categories": ["transactional"],
            "forbid": [{"from": "17:00", "to": "16:00"}],
        },
        {"name": "texas", "regions": ["US-TX"], "allow": [{"from": "12:00", "to": "13:00"}]},
        {"name": "codes", "topics": ["none"], "categories": ["critical"], "forbid": [{"from": "00:00", "to": "24:00"}]},
    ],
    "frequency_caps": [
        {"name": "daily", "limit": 2, "per": "day"},
        {"name": "rolling", "limit": 3, "per": "36h", "channels": ["email", "sms"]},
        {"name": "offers", "limit": 1, "per": "week", "categories": ["marketing"], "over": "drop"},
        {"name": "texts", "limit": 2, "per": "7d", "channels": ["sms"], "over": "next_channel"},
    ],
}

ZONES: Final = [
    None,
    None,
    None,
    None,
    "UTC",
    "America/Toronto",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
]
PLACES: Final[list[dict[str, Any]]] = [
    {},
    {"country": "FR"},
    {"country": "US"},
    {"country": "US", "region": "US-TX"},
    {"country": "ES"},
    {"region": "AU-NSW"},
]
PHONES: Final = ["+33612345678", "+12145551234", "+34612345678", "+61412345678", "+18005551234"]
TEMPLATES: Final[Mapping[str, Mapping[str, Any]]] = {
    "note": {"text": "hello"},
    "offer": {"text": "now"},
    "code": {"code": "908172"},
}

_UNDER_WAY = "SELECT id FROM deliveries WHERE lease_owner IS NOT NULL LIMIT 1"


def person(chance: Random, number: int) -> Recipient:
    """Somebody, somewhere, of whom more or less is known."""
    place = {"country": None, "region": None, **chance.choice(PLACES)}
    return make_recipient(
        id=RecipientId(f"user-{number}"),
        email=f"user-{number}@example.org",
        phone=PhoneNumber(chance.choice(PHONES)[:-4] + f"{number:04d}"),
        timezone=chance.choice(ZONES),
        **place,
    )


async def furnish(rig: Rig, chance: Random, people: list[Recipient]) -> None:
    """Most agree to offers on some channel, and some are suppressed on one."""
    for who in people:
        for channel in (Channel.EMAIL, Channel.SMS):
            state = chance.choice([ConsentState.GRANTED] * 5 + [ConsentState.DENIED, None])
            if state is not None:
                said = make_consent(
                    id=f"cns_{who.id}_{channel}",
                    service_id=rig.service_id,
                    recipient_id=who.id,
                    channel=channel,
                    state=state,
                )
                await rig.gateway.consents.add_consents([said])
        if chance.random() < 0.1:
            gone = make_suppression(
                id=f"sup_{who.id}", address=who.email, reason=chance.choice(list(SuppressionReason))
            )
            await rig.gateway.suppressions.add_suppression(gone)


def request_to(chance: Random, who: Recipient, clock: SetClock) -> SendRequest:
    """A message with this or that asked of it."""
    template = chance.choice(list(TEMPLATES))
    return SendRequest(
        template=template,
        to=who,
        data=TEMPLATES[template],
        channels=(Channel.SMS,) if template == "code" else (chance.choice([Channel.EMAIL, Channel.SMS]),),
        strategy=Strategy.ALL,
        priority=chance.choice(list(Priority)),
        expires_at=chance.choice(
            [None, *(clock.now() + timedelta(hours=hours) for hours in (chance.randint(1, 48), 400))]
        ),
    )


async def fate(rig: Rig, accepted: Accepted) -> Mapping[str, Any]:
    """The first decision on the message: what becomes free later may let it go sooner."""
    page = await rig.gateway.log.events(accepted.message_id, None, 100, None)
    return next(event.data for event in page.items if "decision" in event.data)


async def send(rig: Rig, request: SendRequest) -> Accepted:
    """Send what was explained."""
    asked = {name: getattr(request, name) for name in ("to", "channels", "strategy", "priority", "expires_at")}
    return await rig.send(request.template, **asked)


async def quiet(rig: Rig, accepted: list[Accepted], clock: SetClock) -> None:
    """Wait until nothing is under way or due: what one message frees another may use, and is decided again."""

    async def is_at_rest() -> bool:
        for one in accepted:
            record = await rig.read(one)
            not_before = record.deliveries[0].delivery.not_before
            is_late = not_before is not None and not_before <= clock.now() and not record.status.is_final
            if is_late or record.status in _WAITING:
                return False
        # Under way first: what is claimed falls due for nobody else, and is due again before it is let go.
        under_way = await rig.working.store.database.reader.run(lambda driver: driver.fetch(_UNDER_WAY))
        due = await rig.working.store.dispatch.next_due()
        return not under_way and (due is None or due > clock.now())

    await eventually(is_at_rest, bool)


async def is_held(rig: Rig, accepted: Accepted) -> bool:
    """Whether it still waits."""
    return (await rig.read(accepted)).status is DeliveryStatus.HELD


@pytest.mark.timeout(3_600 if _LONG else 120)
async def test_what_explain_says_is_what_happens(tmp_path: Path) -> None:
    chance, clock, provider = Random(20261122), SetClock(), ScriptedProvider("scripted")
    people = [person(chance, number) for number in range(_PEOPLE)]
    told: dict[Accepted, Mapping[str, Any]] = {}
    rules = {"routes": routes_to("scripted"), **RULES, "policy": {"release_over": "0s"}}
    async with open_rig(tmp_path, clock=clock, further=[provider], **rules) as rig:
        await furnish(rig, chance, people)
        held: list[Accepted] = []
        for _ in range(_ROUNDS):
            requests = [request_to(chance, who, clock) for who in people]
            answers: list[Any] = [await rig.gateway.explainer.explain(rig.service_id, True, one) for one in requests]
            sent = await asyncio.gather(*[send(rig, request) for request in requests])

            for accepted, answer, request in zip(sent, answers, requests, strict=True):
                await eventually(partial(rig.read, accepted), lambda seen: seen.status not in _WAITING)
                (told[accepted],) = answer["deliveries"]
                happened = await fate(rig, accepted)
                for name in ("decision", "reason", "rule", "not_before", "trace"):
                    assert told[accepted].get(name) == happened.get(name), (name, request)

            clock.advance(chance.uniform(1, 20) * HOUR)
            await quiet(rig, [*held, *sent], clock)
            held = [one for one in [*held, *sent] if await is_held(rig, one)]

        for accepted, said in told.items():
            if any(delivery.attempts for delivery in (await rig.read(accepted)).deliveries):
                assert said["decision"] in ("send", "hold")
    assert {said["decision"] for said in told.values()} == {"send", "hold", "suppress", "expire"}
    reasons = {said.get("reason") for said in told.values()}
    assert {"quiet_hours", "frequency_cap", "no_consent", "suppressed", "no_opening"} <= reasons
