"""Lost answers are settled by looking for them, lost receipts by asking for them; never by a blind second call."""

import itertools
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest
import pytest_asyncio

from gateway.delivery.accepting.accept import Accepted
from gateway.domain.audit import CONSOLE, By
from gateway.domain.lifecycle import DeliveryStatus, Evidence
from gateway.domain.messages import Envelope, Outcome, SendResult, SmsContent
from gateway.domain.receipts import Receipt
from gateway.domain.recipients import Channel, PhoneNumber
from gateway.errors import Conflict
from gateway.ports import Candidate, LostCall, MessageRecord
from tests.factories import make_recipient
from tests.fakes import ScriptedProvider
from tests.modes import Mode
from tests.rigs import Rig, open_rig, routes_to
from tests.waiting import eventually

MODES = ("embedded", "scaled")
S = DeliveryStatus
_numbers = itertools.count(1)

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Carrier(ScriptedProvider):
    """Has what it took, whatever became of its answer, and can be asked for it, unless it is told to be silent."""

    def __init__(self) -> None:
        super().__init__("carrier", self._answer)
        self.taken: dict[str, tuple[str, str]] = {}
        """Number and text, by our id for the message."""
        self.losing: dict[str, int] = {}
        """Of how many calls for a number the answer is lost."""
        self.refusing: dict[str, int] = {}
        """How many calls for a number do not reach us, which looks the same."""
        self.silent: set[str] = set()
        self.delivered: set[str] = set()

    def _answer(self, envelope: Envelope) -> SendResult:
        number, content = envelope.to, envelope.content
        assert isinstance(content, SmsContent)
        lost = SendResult(outcome=Outcome.UNKNOWN)
        if self._counts_down(self.refusing, number):
            return lost
        known_as = f"CM{len(self.taken)}"
        self.taken[known_as] = (number, content.text)
        if self._counts_down(self.losing, number):
            return lost
        return SendResult(outcome=Outcome.SENT, provider_message_id=known_as)

    def _counts_down(self, left: dict[str, int], number: str) -> bool:
        left[number] = left.get(number, 0) - 1
        return left[number] >= 0

    async def find(self, call: LostCall) -> Sequence[Candidate] | None:
        """What it has for the number."""
        assert isinstance(call.content, SmsContent)
        if call.to in self.silent:
            return None
        shown = call.content.text.partition("•")[0]
        return [
            Candidate(receipt=self._receipt(known_as), reads_the_same=text.startswith(shown))
            for known_as, (number, text) in self.taken.items()
            if number == call.to
        ]

    async def cancel(self, provider_message_id: str) -> bool:
        """Takes back what is not delivered."""
        return self.taken[provider_message_id][0] not in self.delivered

    async def fetch_status(self, provider_message_id: str) -> Receipt | None:
        """What became of it."""
        return self._receipt(provider_message_id)

    def _receipt(self, known_as: str) -> Receipt:
        arrived = self.taken[known_as][0] in self.delivered
        status, evidence = ("delivered", Evidence.DELIVERED) if arrived else ("sent", Evidence.TAKEN)
        return Receipt(event_id=f"{known_as}:{status}", provider_message_id=known_as, status=status, evidence=evidence)


@pytest.fixture(scope="module")
def carrier() -> Carrier:
    return Carrier()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(mode: Mode, carrier: Carrier, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    with mode.furnished(tmp_path_factory.mktemp("settling")) as folder:
        how = {"unknown_after": "600ms", "ask_after": "50ms", "on_unknown": {"critical": "resend"}}
        async with open_rig(folder, further=[carrier], routes=routes_to("carrier"), delivery=how) as opened:
            yield opened


async def send(rig: Rig, number: str, template: str = "note") -> Accepted:
    to = make_recipient(id=None, phone=PhoneNumber(number))
    return await rig.send(template, to=to, channels=(Channel.SMS,))


@pytest_asyncio.fixture(loop_scope="module")
async def number(rig: Rig) -> str:
    """A number that no other test uses, at a carrier that is trusted whatever the test before did to it."""
    steady = f"+3361{next(_numbers):07}"
    for accepted in [await send(rig, steady) for _ in range(16)]:
        await rig.settled(accepted, S.SENT)
    return f"+3361{next(_numbers):07}"


async def reasons(rig: Rig, accepted: Accepted) -> list[object]:
    page = await rig.gateway.log.events(accepted.message_id, None, 100, None)
    return [event.data.get("reason") for event in page.items if event.type == "delivery.queued"]


def only(record: MessageRecord) -> tuple[S, int, str | None]:
    (one,) = record.deliveries
    return one.delivery.status, one.delivery.attempts, one.delivery.provider_message_id


async def test_a_lost_answer_is_found_at_the_provider(rig: Rig, carrier: Carrier, number: str) -> None:
    carrier.losing[number] = 1
    accepted = await send(rig, number)

    record = await rig.settled(accepted, S.SENT)

    (known_as,) = [one for one, (to, _) in carrier.taken.items() if to == number]
    assert only(record) == (S.SENT, 1, known_as)
    kinds = await rig.events(accepted)
    assert kinds.index("delivery.unknown") < kinds.index("delivery.sent")


async def test_what_the_provider_turns_out_not_to_have_is_sent_after_all(
    rig: Rig, carrier: Carrier, number: str
) -> None:
    carrier.refusing[number] = 1
    accepted = await send(rig, number)

    record = await rig.settled(accepted, S.SENT)

    assert only(record)[:2] == (S.SENT, 2)
    assert await reasons(rig, accepted) == ["not_taken"]
    assert [to for to, _ in carrier.taken.values()].count(number) == 1


async def test_of_two_alike_one_is_found_and_the_other_sent(rig: Rig, carrier: Carrier, number: str) -> None:
    carrier.losing[number], carrier.refusing[number] = 1, 1
    both = [await send(rig, number), await send(rig, number)]

    records = [await rig.settled(one, S.SENT) for one in both]

    known = {only(record)[2] for record in records}
    assert len(known) == 2
    assert known == {one for one, (to, _) in carrier.taken.items() if to == number}


@pytest.mark.parametrize(("template", "outcome"), [("note", S.UNKNOWN), ("code", S.SENT)], ids=["never", "resend"])
async def test_where_the_provider_cannot_say_the_category_decides(
    rig: Rig, carrier: Carrier, number: str, template: str, outcome: S
) -> None:
    carrier.losing[number] = 1
    carrier.silent.add(number)
    accepted = await send(rig, number, template)

    record = await rig.settled(accepted, outcome)
    # Its time is over once nothing is left to do.
    await eventually(
        lambda: rig.gateway.store.calls.last_call(record.deliveries[0].delivery.id),
        lambda call: call is not None and rig.gateway.clock.now() - call.attempt.started_at > timedelta(seconds=1),
    )

    calls = [one for one in carrier.envelopes if one.to == number]
    assert only(await rig.settled(accepted, outcome))[0] is outcome
    assert len(calls) == (1 if outcome is S.UNKNOWN else 2)


async def test_another_text_to_the_number_is_not_taken_for_ours(rig: Rig, carrier: Carrier, number: str) -> None:
    carrier.taken[f"other-{number}"] = (number, "A text of somebody else's")
    carrier.refusing[number] = 1
    accepted = await send(rig, number)

    await rig.settled(accepted, S.UNKNOWN)
    await eventually(rig.gateway.store.dispatch.next_due, lambda due: due is None or due > rig.gateway.clock.now())

    # Nor is it shown that ours was not taken: it may have been changed on its way.
    assert only(await rig.settled(accepted, S.UNKNOWN))[:2] == (S.UNKNOWN, 1)


async def test_a_receipt_that_does_not_come_is_asked_for(rig: Rig, carrier: Carrier, number: str) -> None:
    accepted = await send(rig, number)
    sent = await rig.settled(accepted, S.SENT)
    await eventually(lambda: rig.events(accepted), lambda kinds: "delivery.receipt" in kinds)
    still = await rig.read(accepted)
    carrier.delivered.add(number)

    record = await rig.settled(accepted, S.DELIVERED)

    assert only(record)[0] is S.DELIVERED
    assert still.deliveries[0].delivery.updated_at == sent.deliveries[0].delivery.updated_at
    assert (await rig.events(accepted)).count("delivery.receipt") == 1


@pytest.mark.parametrize("arrived", [False, True], ids=["in time", "too late"])
async def test_what_is_cancelled_too_late_is_taken_back_from_its_provider(
    rig: Rig, carrier: Carrier, number: str, arrived: bool
) -> None:
    to = make_recipient(id=None, phone=PhoneNumber(number))
    accepted = await rig.send("note", to=to, channels=(Channel.SMS, Channel.EMAIL))
    await rig.settled(accepted, S.SENT)
    if arrived:
        carrier.delivered.add(number)

    with pytest.raises(Conflict) as refused:
        await rig.gateway.steering.cancel(accepted.message_id, rig.service_id, By(actor=CONSOLE, reason="a mistake"))

    record = await rig.settled(accepted, S.DELIVERED if arrived else S.UNDELIVERED)
    await eventually(rig.gateway.store.dispatch.next_due, lambda due: due is None or due > rig.gateway.clock.now())
    kinds = await rig.events(accepted)
    assert refused.value.conflict_code == "too_late"
    assert [one.delivery.reason for one in (await rig.read(accepted)).deliveries] == [None if arrived else "recalled"]
    assert ("message.recalled" in kinds) is not arrived
    assert len(record.deliveries) == 1
