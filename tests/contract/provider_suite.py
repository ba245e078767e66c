"""What every provider must do, written once; each provider inherits it and says how its far side is provoked."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import pytest
import structlog.testing

from gateway.domain.ids import DELIVERY, AttemptId, DeliveryId, make_id
from gateway.domain.messages import Content, EmailContent, Envelope, Outcome, PushContent, SmsContent
from gateway.domain.recipients import Channel, PushDevice, PushPlatform
from gateway.domain.values import replace
from gateway.ports import Provider

RECIPIENT = {Channel.EMAIL: "amina.benali@example.org", Channel.SMS: "+33612345678", Channel.PUSH: ""}
SENDER = {Channel.EMAIL: "Shop <shop@example.com>", Channel.SMS: "Shop", Channel.PUSH: "shop"}
TAKEN = frozenset({Outcome.SENT, Outcome.DELIVERED})


class Fault(StrEnum):
    """What can go wrong at the far side."""

    BAD_ADDRESS = "bad_address"
    BAD_CONTENT = "bad_content"
    BAD_CREDENTIALS = "bad_credentials"
    THROTTLED = "throttled"
    TRANSIENT = "transient"
    REFUSED_CONNECTION = "refused_connection"
    NO_ANSWER = "no_answer"
    """The request left whole and nothing comes back within the deadline."""
    CUT_BEFORE = "cut_before"
    """The connection breaks before the request can have been taken."""
    CUT_AFTER = "cut_after"
    """It breaks when it may have been."""


EXPECTED = {
    Fault.BAD_ADDRESS: Outcome.INVALID_RECIPIENT,
    Fault.BAD_CONTENT: Outcome.REJECTED,
    Fault.BAD_CREDENTIALS: Outcome.MISCONFIGURED,
    Fault.THROTTLED: Outcome.THROTTLED,
    Fault.TRANSIENT: Outcome.TRANSIENT,
    Fault.REFUSED_CONNECTION: Outcome.TRANSIENT,
    Fault.NO_ANSWER: Outcome.UNKNOWN,
    Fault.CUT_BEFORE: Outcome.TRANSIENT,
    Fault.CUT_AFTER: Outcome.UNKNOWN,
}


def make_envelope(channel: Channel = Channel.EMAIL, **changes: object) -> Envelope:
    """A short message to Amina; an e-mail carries its delivery id in the Message-ID, as the gateway builds it."""
    delivery_id = DeliveryId(make_id(DELIVERY, datetime.now(UTC)))
    contents: dict[Channel, Content] = {
        Channel.EMAIL: EmailContent(subject="Hi", preheader="", html="<p>Hi</p>", text="Hi", locale="en"),
        Channel.SMS: SmsContent(text="Hi", encoding="gsm-7", units=2, segments=1, locale="en"),
        Channel.PUSH: PushContent(title="Hi", body="Hi", locale="en", bytes=40),
    }
    envelope = Envelope(
        delivery_id=delivery_id,
        attempt_id=AttemptId("att_1"),
        channel=channel,
        live=True,
        sender=SENDER[channel],
        to=RECIPIENT[channel],
        devices=(PushDevice(platform=PushPlatform.FCM, token="device-token-1"),) if channel is Channel.PUSH else (),
        content=contents[channel],
        mime=make_mime(delivery_id) if channel is Channel.EMAIL else None,
        message_id_header=f"<{delivery_id}@example.com>" if channel is Channel.EMAIL else None,
        expires_at=datetime.now(UTC) + timedelta(hours=1),
        deadline_seconds=10.0,
    )
    return replace(envelope, **changes)


def make_mime(delivery_id: str, body: bytes = b"Hi\r\n") -> bytes:
    """A whole small e-mail."""
    head = (
        f"From: {SENDER[Channel.EMAIL]}\r\nTo: {RECIPIENT[Channel.EMAIL]}\r\nSubject: Hi\r\n"
        f"Message-ID: <{delivery_id}@example.com>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n\r\n"
    )
    return head.encode() + body


class FarSide:
    """A provider that stands ready, and what its far side was given."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider

    async def delivery_ids(self) -> list[str]:
        """The delivery ids that reached the far side, in order, repeated ones once for each time."""
        raise NotImplementedError


class ProviderSuite:
    """Inherit it as `Test…`, and give `far_side`, `broken` and the faults that the provider can meet."""

    channels: frozenset[Channel]
    faults: frozenset[Fault]

    def far_side(self) -> AbstractAsyncContextManager[FarSide]:
        """A provider whose far side takes everything."""
        raise NotImplementedError

    def broken(self, fault: Fault) -> AbstractAsyncContextManager[Provider]:
        """A provider whose far side has that fault."""
        raise NotImplementedError

    @pytest.fixture
    async def side(self) -> AsyncIterator[FarSide]:
        async with self.far_side() as side:
            yield side

    async def test_it_names_itself_and_its_channels(self, side: FarSide) -> None:
        assert side.provider.name == "under-test"
        assert side.provider.capabilities.channels == self.channels
        assert side.provider.capabilities.concurrency > 0

    async def test_it_hands_over_with_our_id(self, side: FarSide) -> None:
        envelopes = [make_envelope(channel) for channel in sorted(self.channels)]

        results = [await side.provider.send(envelope) for envelope in envelopes]

        assert {result.outcome for result in results} <= TAKEN
        assert await side.delivery_ids() == [envelope.delivery_id for envelope in envelopes]

    async def test_a_resend_repeats_our_id_and_an_idempotent_provider_keeps_it_once(self, side: FarSide) -> None:
        envelope = make_envelope(sorted(self.channels)[0])

        results = [await side.provider.send(envelope) for _ in range(2)]

        assert {result.outcome for result in results} <= TAKEN
        copies = 1 if side.provider.capabilities.idempotent else 2
        assert await side.delivery_ids() == [envelope.delivery_id] * copies

    async def test_many_calls_at_once_each_get_their_own_answer(self, side: FarSide) -> None:
        envelopes = [make_envelope(sorted(self.channels)[0]) for _ in range(40)]

        results = await asyncio.gather(*map(side.provider.send, envelopes))

        assert {result.outcome for result in results} <= TAKEN
        assert sorted(await side.delivery_ids()) == sorted(envelope.delivery_id for envelope in envelopes)

    async def test_a_channel_that_it_does_not_carry_is_a_wrong_setting(self, side: FarSide) -> None:
        for channel in set(Channel) - self.channels:
            result = await side.provider.send(make_envelope(channel))

            assert result.outcome is Outcome.MISCONFIGURED
        assert await side.delivery_ids() == []

    async def test_each_fault_has_its_outcome_and_no_exception_leaves(self) -> None:
        for fault in sorted(self.faults):
            async with self.broken(fault) as provider:
                result = await provider.send(make_envelope(sorted(self.channels)[0], deadline_seconds=0.5))

                assert (fault, result.outcome) == (fault, EXPECTED[fault])
                assert result.code

    async def test_nothing_is_said_or_logged_that_holds_an_address(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.INFO), structlog.testing.capture_logs() as events:
            for fault in sorted(self.faults):
                async with self.broken(fault) as provider:
                    result = await provider.send(make_envelope(sorted(self.channels)[0], deadline_seconds=0.5))

                    assert "amina.benali" not in repr(result)
            async with self.far_side() as side:
                for channel in sorted(self.channels):
                    result = await side.provider.send(make_envelope(channel))

                    assert "amina.benali" not in repr(result)
                    assert "device-token-1" not in repr(result)

        ours = [record.getMessage() for record in caplog.records if not record.name.startswith("mail.")]
        assert not any("amina.benali" in text for text in [*ours, *map(repr, events)])

    async def test_a_cancelled_call_leaves_the_provider_usable(self, side: FarSide) -> None:
        channel = sorted(self.channels)[0]
        call = asyncio.ensure_future(side.provider.send(make_envelope(channel)))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

        result = await side.provider.send(make_envelope(channel))

        assert result.outcome in TAKEN

    async def test_closing_twice_is_fine(self, side: FarSide) -> None:
        await side.provider.send(make_envelope(sorted(self.channels)[0]))

        await side.provider.aclose()
        await side.provider.aclose()

        assert len(await side.delivery_ids()) == 1
