"""What every provider must do that calls us: believe only its own calls, and tell the same whatever their order."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Final

import pytest

from gateway.domain.inbound import Inbound
from gateway.domain.lifecycle import DeliveryStatus, Fact, resolve
from gateway.domain.receipts import Receipt
from gateway.domain.recipients import Channel
from gateway.domain.values import replace
from gateway.errors import InvalidRequest
from gateway.ports import WebhookReceiver, WebhookRequest

HOSTILE: Final = (
    b"",
    b"\xff\xfe\x00",
    b"null",
    b"[]",
    b"{}",
    b"[null, 1, [], {}]",
    b'[{"event": 7, "timestamp": [], "sg_event_id": {}}]',
    b"[" * 100_000,
    b"a=" * 50_000,
    b"MessageStatus=%FF&MessageSid=%00",
    b"x" * 250_000,
)
"""Bodies that a provider would hardly send, and that nothing may come apart on."""


class WebhookSuite:
    """Inherit it as `Test…`, and give what the provider would call with."""

    channel: Channel
    ends: DeliveryStatus
    """What the story comes to."""
    signature_headers: tuple[str, ...]
    """In lower case; without one of them a call is nobody's."""
    signs_url: bool = False
    forgets_after: timedelta | None = None
    """How old a call may be, where its signature says when it was made."""

    def receiver(self) -> WebhookReceiver:
        """The provider under test."""
        raise NotImplementedError

    def story(self) -> Sequence[WebhookRequest]:
        """Genuine calls that tell of one message, in the order in which it all happened; at most five."""
        raise NotImplementedError

    def oddities(self) -> Iterable[WebhookRequest]:
        """Genuine calls with words, members and types that are not known, each with at least one receipt."""
        raise NotImplementedError

    def rotated(self) -> Iterable[WebhookRequest]:
        """Genuine calls, each signed with another of the secrets that hold now."""
        raise NotImplementedError

    def sign(self, body: bytes) -> WebhookRequest:
        """A genuine call with that body."""
        raise NotImplementedError

    def hidden(self) -> tuple[str, ...]:
        """Addresses in the story."""
        return ()

    async def test_genuine_calls_are_believed_whichever_secret_signed_them(self) -> None:
        receiver = self.receiver()

        assert [await receiver.verify(call) for call in [*self.story(), *self.rotated()]].count(False) == 0

    async def test_forged_calls_are_not(self) -> None:
        receiver = self.receiver()

        assert [what for what, call in self._forgeries() if await receiver.verify(call)] == []

    def test_the_order_and_repetition_of_calls_change_nothing(self) -> None:
        receiver, calls = self.receiver(), self.story()
        assert len(calls) <= 5

        for order in itertools.permutations(calls):
            told = {one.event_id: one for call in [*order, order[0]] for one in receipts(receiver, call)}

            facts = [
                Fact(attempt=1, evidence=one.evidence, provider_time=one.at) for one in told.values() if one.evidence
            ]
            assert resolve(self.channel, facts) is self.ends

    def test_each_thing_told_has_an_id_of_its_own_and_the_same_each_time(self) -> None:
        receiver = self.receiver()

        first, again = ([one.event_id for call in self.story() for one in receipts(receiver, call)] for _ in range(2))

        assert first == again
        assert len(set(first)) == len(first) > 0

    def test_it_is_told_of_which_delivery_and_nothing_tells_an_address(self) -> None:
        receiver = self.receiver()

        told = [one for call in self.story() for one in receipts(receiver, call)]

        assert len({one.delivery_id for one in told} - {None}) == 1
        assert [(part, one) for part in self.hidden() for one in told if part in repr(one)] == []

    async def test_what_is_not_known_is_kept_and_moves_no_status(self) -> None:
        receiver = self.receiver()

        for call in self.oddities():
            assert await receiver.verify(call)
            told = receipts(receiver, call)

            assert told
            assert all(one.event_id for one in told)

    @pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
    async def test_nothing_comes_apart_on_a_hostile_body(self, body: bytes) -> None:
        receiver, call = self.receiver(), self.sign(body)
        await receiver.verify(call)

        try:
            told = receiver.parse(call)
        except InvalidRequest:
            return
        assert all(isinstance(one, Inbound | Receipt) for one in told)

    def _forgeries(self) -> Iterator[tuple[str, WebhookRequest]]:
        for call in self.story():
            for name in self.signature_headers:
                given = call.headers[name]
                others = {key: value for key, value in call.headers.items() if key != name}
                yield f"without {name}", replace(call, headers=others)
                for wrong in (
                    "",
                    "é",
                    "\udcff",
                    given[:-1],
                    given[:-4] + "AAAA",
                    given.swapcase(),
                    f"{given}, {given}",
                ):
                    if wrong != given:
                        yield f"{name} is {wrong!r}", replace(call, headers={**others, name: wrong})
            # Where all that is told is in the address there is no body.
            for at in {0, len(call.body) // 2, len(call.body) - 1} if call.body else ():
                changed = bytearray(call.body)
                changed[at] ^= 1
                yield f"byte {at} changed", replace(call, body=bytes(changed))
            if call.body:
                yield "a body cut short", replace(call, body=call.body[:-1])
            yield "a longer body", replace(call, body=call.body + b"&a=b")
            if self.signs_url:
                yield "another address", replace(call, url=call.url + "1")
            if self.forgets_after is not None:
                late = call.received_at + self.forgets_after + timedelta(minutes=1)
                yield "too old", replace(call, received_at=late)
                early = call.received_at - self.forgets_after - timedelta(minutes=1)
                yield "from the future", replace(call, received_at=early)


def receipts(receiver: WebhookReceiver, call: WebhookRequest) -> list[Receipt]:
    """The receipts that a call tells."""
    return [one for one in receiver.parse(call) if isinstance(one, Receipt)]
