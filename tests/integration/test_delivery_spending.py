"""Limits on spending end to end: never one call or one cent too many, whatever happens at once, and said why."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

from gateway.bootstrap import open_gateway
from gateway.delivery.accepting.accept import Accepted
from gateway.delivery.upkeep.credentials import FIRST_SERVICE
from gateway.domain.ids import ConsentId, RecipientId
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import Outcome, SendRequest, SendResult
from gateway.domain.receipts import Reaction, Receipt
from gateway.domain.recipients import Channel, EmailAddress, PhoneNumber, Recipient
from gateway.domain.values import replace
from gateway.ports import MessageRecord
from tests.factories import make_consent, make_recipient
from tests.fakes import ScriptedProvider
from tests.rigs import Rig, make_settings, open_rig, routes_to
from tests.waiting import eventually

MODES = ("embedded", "scaled")

S = DeliveryStatus
AT_ONCE: Final = 24
SMS: Final = (Channel.SMS,)
SENT = SendResult(outcome=Outcome.SENT, provider_message_id="p-1")
AWAY = SendResult(outcome=Outcome.TRANSIENT)
REFUSED = SendResult(outcome=Outcome.REJECTED)


def limit(**changes: Any) -> dict[str, Any]:
    """Five texts in any 24 hours."""
    return {"name": "texts", "messages": 5, "per": "24h", "channels": ["sms"], **changes}


def somebody(number: int = 0, phone: str = "+33612345678") -> Recipient:
    """A person who is nobody else."""
    return make_recipient(id=None, phone=PhoneNumber(f"{phone[:-4]}{number:04}"))


@asynccontextmanager
async def several_workers(folder: Path, provider: ScriptedProvider, **spending: Any) -> AsyncIterator[Rig]:
    """A rig whose store three gateways dispatch from in scaled mode."""
    sections: Mapping[str, Any] = {"routes": routes_to(provider.name), "spending": spending}
    async with open_rig(folder, further=[provider], together=True, **sections) as rig, AsyncExitStack() as stack:
        for _ in range(2 if rig.gateway.settings.queue.url else 0):
            settings = make_settings(folder, **sections)
            await stack.enter_async_context(open_gateway(settings, accept=False, further=[provider], together=True))
        yield rig


async def rest(rig: Rig, accepted: Sequence[Accepted]) -> Counter[str]:
    """How many messages stand where, once none of them moves any more."""

    async def standing() -> Counter[str]:
        return Counter([(await rig.read(one)).status.value for one in accepted])

    return await eventually(standing, lambda seen: set(seen) <= {S.SENT, S.HELD, S.SUPPRESSED, S.FAILED}, 60)


async def send_all(rig: Rig, count: int = AT_ONCE, **changes: Any) -> list[Accepted]:
    """As many texts at once, each to another person of one block of numbers."""
    given = {"channels": SMS, **changes}
    return list(await asyncio.gather(*(rig.send(to=somebody(number), **given) for number in range(count))))


async def test_of_many_sends_at_once_as_many_go_as_the_limit_says(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted")
    async with several_workers(tmp_path, provider, limits=[limit()]) as rig:
        accepted = await send_all(rig)

        assert await rest(rig, accepted) == {"sent": 5, "held": AT_ONCE - 5}
        assert len(provider.envelopes) == 5


async def test_costs_are_counted_by_price_and_segment_and_never_go_over(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted")
    prices = {"scripted": {"FR": "0.07", "other": "9"}}
    limits = [limit(messages=None, cost="0.50", over="drop")]
    async with several_workers(tmp_path, provider, limits=limits, prices=prices) as rig:
        long = {"text": "x" * 100}
        accepted = await send_all(rig, data=long)

        assert await rest(rig, accepted) == {"sent": 7, "suppressed": AT_ONCE - 7}
        refused = next(one for one in [await rig.read(each) for each in accepted] if one.status is S.SUPPRESSED)
        assert refused.deliveries[0].delivery.reason == "spending_limit"


async def test_what_the_provider_did_not_take_is_given_back(tmp_path: Path) -> None:
    answers = [AWAY, REFUSED, SENT, REFUSED, AWAY, SENT, REFUSED, SENT, AWAY, SENT, SENT]
    provider = ScriptedProvider("scripted", *answers)
    async with open_rig(
        tmp_path, further=[provider], routes=routes_to("scripted"), spending={"limits": [limit(messages=3)]}
    ) as rig:
        ends = [
            (await rig.settled(await rig.send(to=somebody(number), channels=SMS), S.SENT, S.FAILED, S.HELD)).status
            for number in range(8)
        ]

        assert Counter(ends) == {S.SENT: 3, S.FAILED: 3, S.HELD: 2}


async def test_a_block_of_numbers_is_limited_whoever_asks_and_others_are_not(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted")
    velocity = limit(name="pumping", by="prefix", messages=2, per="1h", over="drop")
    async with open_rig(
        tmp_path, further=[provider], routes=routes_to("scripted"), spending={"limits": [velocity]}
    ) as rig:
        accepted = await send_all(rig, 4)
        elsewhere = await rig.send(to=somebody(1, "+33712345678"), channels=SMS)

        assert await rest(rig, accepted) == {"sent": 2, "suppressed": 2}
        assert (await rig.settled(elsewhere, S.SENT, S.SUPPRESSED)).status is S.SENT


async def test_texts_go_only_where_the_service_may_send_them(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted")
    spending = {"countries": ["FR"], "services": {"another": {"countries": ["GB"]}}}
    async with open_rig(tmp_path, further=[provider], routes=routes_to("scripted"), spending=spending) as rig:
        allowed = await rig.settled(await rig.send(to=somebody(), channels=SMS), S.SENT, S.SUPPRESSED)
        to_britain = somebody(1, "+447400123456")
        refused = await rig.settled(await rig.send(to=to_britain, channels=SMS), S.SENT, S.SUPPRESSED)
        by_mail = await rig.send(to=to_britain, channels=(Channel.SMS, Channel.EMAIL))

        assert allowed.status is S.SENT
        assert (refused.status, refused.deliveries[0].delivery.reason) == (S.SUPPRESSED, "country_not_allowed")
        assert (await rig.settled(by_mail, S.SENT)).status is S.SENT


async def test_explain_tells_the_limit_and_what_a_call_would_cost(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted")
    spending = {
        "countries": ["FR"],
        "prices": {"scripted": {"FR": "0.07"}},
        "limits": [limit(messages=1, cost="5", services=[FIRST_SERVICE])],
    }
    async with open_rig(tmp_path, further=[provider], routes=routes_to("scripted"), spending=spending) as rig:
        await rig.settled(await rig.send(to=somebody(), channels=SMS), S.SENT)

        request = SendRequest(template="note", to=somebody(1), channels=SMS, data={"text": "hello"})
        told: Any = await rig.gateway.explainer.explain(rig.service_id, True, request)

        (delivery,) = told["deliveries"]
        by_rule = {step["rule"]: step for step in delivery["trace"]}
        assert (delivery["decision"], delivery["reason"], delivery["rule"]) == ("hold", "spending_limit", "texts")
        assert by_rule["spending_countries"]["saw"] == {"country": "FR", "allowed": ["FR"]}
        assert by_rule["texts"]["saw"] == {
            "by": "service",
            "of": FIRST_SERVICE,
            "per": "1d",
            "over": "defer",
            "messages": {"limit": 1, "used": 1},
            "cost": {"limit": "5.00", "used": "0.07", "this": "0.07", "currency": "EUR"},
        }


async def test_what_is_tried_out_takes_nothing_from_what_reaches_people(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted")
    async with open_rig(
        tmp_path, further=[provider], routes=routes_to("scripted"), spending={"limits": [limit(messages=1)]}
    ) as rig:
        await rig.settled(await rig.send(to=somebody(), channels=SMS, live=False), S.DELIVERED)

        live = await rig.settled(await rig.send(to=somebody(), channels=SMS), S.SENT, S.HELD)

        assert live.status is S.SENT


async def test_complaints_stop_marketing_from_their_domain_and_nothing_else(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted")
    # A limit may have any name.
    beside = limit(name="complaints", channels=["email"])
    spending = {"complaints": {"stop_at": 0.5, "at_least": 2}, "limits": [beside]}
    async with open_rig(tmp_path, further=[provider], routes=routes_to("scripted"), spending=spending) as rig:
        people = [
            make_recipient(id=RecipientId(f"user-{name}"), email=EmailAddress(f"{name}@example.org")) for name in "abc"
        ]
        grants = [
            make_consent(id=ConsentId(f"cns_{one.id}"), service_id=rig.service_id, recipient_id=one.id)
            for one in people
        ]
        await rig.gateway.consents.add_consents(grants)

        async def mail(person: Recipient, template: str = "offer") -> MessageRecord:
            accepted = await rig.send(template, to=person, channels=(Channel.EMAIL,))
            return await rig.settled(accepted, S.SENT, S.SUPPRESSED)

        first, second = await mail(people[0]), await mail(people[1])
        spam = Receipt(
            event_id="1",
            delivery_id=first.deliveries[0].delivery.id,
            attempt_id=first.deliveries[0].attempts[0].id,
            status="spamreport",
            reaction=Reaction.COMPLAINED,
        )
        await rig.gateway.tracker.take_in("scripted", [spam, replace(spam, event_id="2")])
        third, note = await mail(people[2]), await mail(people[2], "note")

        assert (first.status, second.status) == (S.SENT, S.SENT)
        assert (third.status, third.deliveries[0].delivery.reason) == (S.SUPPRESSED, "complaint_rate")
        assert note.status is S.SENT
        (step,) = [step for step in await trace_of(rig, third) if step["rule"] == "complaint_rate"]
        assert step["saw"] == {
            "domain": "localhost.localdomain",
            "sent": 2,
            "complaints": 1,
            "rate": 0.5,
            "stop_at": 0.5,
            "at_least": 2,
            "per": "1w",
        }
        standing = await rig.gateway.spending.standing()
        assert [(one.domain, one.sent, one.is_stopped) for one in standing.complained] == [
            ("localhost.localdomain", 2, True)
        ]
        assert [(one.limit.name, one.of) for one in standing.used] == [("complaints", FIRST_SERVICE)]


async def trace_of(rig: Rig, record: MessageRecord) -> list[dict[str, Any]]:
    """The trace of a message's last decision."""
    page = await rig.gateway.log.events(record.message.id, None, 100, None)
    return list(page.items[-1].data["trace"])  # type: ignore[arg-type]  # as decisions are kept
