"""The demo's plan covers everything that can be sent, and its verdict finds what went otherwise."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.cli.demo.hours import ask_hours
from gateway.cli.demo.people import LOCALES, Person, make_cast
from gateway.cli.demo.plan import Plan, Planned, make_plan
from gateway.cli.demo.posting import Posted
from gateway.cli.demo.verdict import find_faults
from gateway.domain.decisions import Facts, Hold, Send
from gateway.domain.ids import RecipientId
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel, PhoneNumber
from gateway.domain.rules import NO_RULES
from gateway.policy.gate import decide
from gateway.policy.packs.in_force import RulesInForce
from gateway.policy.packs.reading import load_packs
from tests.factories import NOW, make_consent, make_facts, make_recipient

SAMPLES = {
    "usual": {
        "order": "A-1",
        "total": {"amount": "1.00", "currency": "EUR"},
        "eta": "2026-12-01",
    }
}


def make_template(name: str, category: str, channels: tuple[str, ...]) -> dict[str, Any]:
    return {
        "name": name,
        "category": category,
        "channels": list(channels),
        "topic": "offers",
        "variables": {"order": {}, "total": {}, "eta": {}},
        "samples": SAMPLES,
    }


TEMPLATES = (
    make_template("order-shipped", "transactional", ("push", "sms", "email")),
    make_template("one-time-code", "critical", ("sms", "email")),
    make_template("win-back-offer", "marketing", ("email", "push")),
)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(TEMPLATES, make_cast(), 300, NOW)


def test_every_template_goes_out_in_every_locale_on_each_of_its_channels(plan: Plan) -> None:
    sent = {
        (planned.body["template"], planned.body["metadata"]["locale"], channel)
        for planned in plan.messages
        if planned.is_sent
        for channel in planned.deliveries
    }

    assert sent >= {
        (template["name"], locale, channel)
        for template in TEMPLATES
        for locale in LOCALES
        for channel in template["channels"]
    }


def test_every_way_to_end_is_in_it(plan: Plan) -> None:
    kinds = {planned.kind for planned in (*plan.messages, *plan.leaving, *plan.after_leaving)}

    assert kinds == {
        "all channels",
        "one channel",
        "scheduled",
        "cancelled",
        "no consent",
        "falls back",
        "refused",
        "leaves",
        "left",
    }


@pytest.mark.parametrize("size", [200, 300, 1_000])
def test_it_is_as_large_as_asked(size: int) -> None:
    assert make_plan(TEMPLATES, make_cast(), size, NOW).size == size


def test_a_small_wish_still_covers_everything() -> None:
    assert make_plan(TEMPLATES, make_cast(), 1, NOW).size > len(TEMPLATES) * len(LOCALES)


def test_nobody_of_the_cast_shares_an_address() -> None:
    cast = make_cast()
    people = (*cast.fans, *cast.strangers, *cast.lost)

    assert len({person.email for person in people}) == len(people)
    assert len({person.phone for person in people}) == len(people)


def end_well(planned: Planned, number: int) -> tuple[Posted, dict[str, Any]]:
    message_id = f"msg_{number}"
    message = {
        "id": message_id,
        "template": planned.body["template"],
        "status": planned.status,
        "locale": planned.body["metadata"]["locale"],
        "deliveries": [
            {"channel": channel, "status": status.value, "reason": None, "content": {}, "attempts": []}
            for channel, status in planned.deliveries.items()
        ],
    }
    return Posted(planned=planned, status=202, answer={"id": message_id}), message


def end_refused(planned: Planned) -> Posted:
    answer = {"code": "invalid_request", "errors": [{"pointer": planned.refused}]}
    return Posted(planned=planned, status=422, answer=answer)


def test_a_run_in_which_all_ends_well_has_no_fault(plan: Plan) -> None:
    everything = (*plan.messages, *plan.leaving, *plan.after_leaving)
    ended = [end_well(planned, n) for n, planned in enumerate(everything) if planned.refused is None]
    refused = [end_refused(planned) for planned in everything if planned.refused]

    faults = find_faults([posted for posted, _ in ended] + refused, {m["id"]: m for _, m in ended})

    assert faults == []


def planned_note(**changes: Any) -> Planned:
    body = {"template": "order-shipped", "metadata": {"locale": "fr"}, "strategy": "first", **changes}
    return Planned(kind="one channel", body=body, deliveries={"sms": DeliveryStatus.DELIVERED})


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"status": "sent"}, "should be delivered, is sent"),
        ({"locale": "en"}, "should be in fr, is in en"),
        ({"deliveries": []}, "is nowhere"),
    ],
    ids=["status", "locale", "deliveries"],
)
def test_an_end_that_was_not_planned_is_a_fault(change: Mapping[str, Any], fault: str) -> None:
    posted, message = end_well(planned_note(), 1)

    faults = find_faults([posted], {"msg_1": {**message, **change}})

    assert [sentence for _, sentence in faults if fault in sentence]


def test_a_message_before_its_time_is_a_fault() -> None:
    posted, message = end_well(planned_note(send_at="2026-11-22T12:00:02Z"), 1)
    message["deliveries"][0]["attempts"] = [{"started_at": "2026-11-22T12:00:01.5Z"}]

    faults = find_faults([posted], {"msg_1": message})

    assert faults == [("msg_1", "sms: went out before 2026-11-22T12:00:02Z")]


def test_a_refusal_that_was_not_planned_and_an_acceptance_that_was_not_are_faults() -> None:
    refused = Posted(planned=planned_note(), status=422, answer={"code": "invalid_request", "errors": []})
    bad = Planned(kind="refused", body={}, refused="/to/email")
    accepted = Posted(planned=bad, status=202, answer={"id": "msg_1"})
    lost, _ = end_well(planned_note(), 2)

    faults = find_faults([refused, accepted, lost], {})

    assert [name for name, _ in faults] == ["one channel", "msg_1", "msg_2"]


async def explained(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Push to the French is closed now and opens soon after; everybody else's is open, and e-mail always."""
    is_shut = body["to"]["id"] == "fr-1" and body["at"] == "2026-11-22T12:00:00Z"
    push = {"decision": "hold", "rule": "fr-push"} if is_shut else {"decision": "send"}
    sms = {"decision": "hold", "rule": "jp-sms"} if body["to"]["id"] == "ja-1" else {"decision": "send"}
    return {
        "deliveries": [
            {"channel": "email", "decision": "send"},
            {"channel": "push", **push},
            {"channel": "sms", **sms},
        ]
    }


@pytest.fixture
async def night_plan() -> Plan:
    offer = make_template("win-back-offer", "marketing", ("email", "push", "sms"))
    cast = make_cast()
    hours = await ask_hours(explained, offer, cast.fans, NOW)
    return make_plan((*TEMPLATES[:2], offer), cast, 300, NOW, hours)


def offer_to(plan: Plan, person: str) -> Planned:
    return next(
        planned
        for planned in plan.messages
        if planned.kind == "all channels"
        and planned.body["template"] == "win-back-offer"
        and planned.body["to"]["id"] == person
    )


def test_marketing_to_those_whose_hours_are_closed_must_be_held(night_plan: Plan) -> None:
    planned = offer_to(night_plan, "ja-1")

    assert planned.deliveries == {"email": "sent", "push": "delivered", "sms": "held"}
    assert planned.held_by == {"sms": "jp-sms"}
    assert planned.is_sent


def test_where_hours_change_during_the_run_either_end_is_right(night_plan: Plan) -> None:
    planned = offer_to(night_plan, "fr-1")

    assert planned.wanted({"push": "held"})["push"] == "held"
    assert planned.wanted({"push": "delivered"})["push"] == "delivered"


def test_hours_say_nothing_of_what_is_no_marketing(night_plan: Plan) -> None:
    held = [planned for planned in night_plan.messages if planned.held_by]

    assert {planned.body["template"] for planned in held} == {"win-back-offer"}


def test_what_is_held_without_a_reason_or_an_instant_is_a_fault(night_plan: Plan) -> None:
    posted, message = end_well(offer_to(night_plan, "ja-1"), 1)
    (held,) = [one for one in message["deliveries"] if one["status"] == "held"]
    held |= {"reason": "quiet_hours", "not_before": "2026-11-23T23:00:00Z"}
    assert find_faults([posted], {"msg_1": message}) == []
    held |= {"not_before": None}

    faults = find_faults([posted], {"msg_1": message})

    assert faults == [("msg_1", "sms: is held for quiet_hours until None")]


def test_what_went_out_in_closed_hours_is_a_fault(night_plan: Plan) -> None:
    posted, message = end_well(offer_to(night_plan, "ja-1"), 1)
    for one in message["deliveries"]:
        one["status"] = {"sms": "delivered"}.get(one["channel"], one["status"])

    faults = find_faults([posted], {"msg_1": message})

    assert any("sms held, is" in fault or "sms held" in fault for _, fault in faults)


def test_at_any_time_of_the_year_somebody_is_shown_waiting_and_nobody_waits_past_the_expiry() -> None:
    rules, people = RulesInForce(NO_RULES, load_packs()), make_cast().fans
    reached = {Channel.SMS: timedelta(days=3), Channel.PUSH: timedelta(days=2)}
    instants = [NOW + timedelta(hours=31 * number) for number in range(365 * 24 // 31)]

    for now in instants:
        decisions = [
            decide(marketing_to(person, channel, now + expires_after, rules), now)
            for person in people
            for channel, expires_after in reached.items()
        ]

        assert {type(decision) for decision in decisions} <= {Send, Hold}
        assert any(isinstance(decision, Hold) for decision in decisions)


def marketing_to(person: Person, channel: Channel, expires_at: datetime, rules: RulesInForce) -> Facts:
    recipient = make_recipient(
        id=RecipientId(person.id), phone=PhoneNumber(person.phone), timezone=person.timezone, country=person.country
    )
    return make_facts(
        category=Category.MARKETING,
        topic="offers",
        channel=channel,
        recipient=recipient,
        expires_at=expires_at,
        consents=(make_consent(channel=channel, recipient_id=recipient.id),),
        rules=rules.of(channel, Category.MARKETING, person.country),
    )
