"""What every provider must do, written once; each provider inherits it and says how its far side is provoked."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

import pytest
import structlog.testing

from gateway.domain.ids import DELIVERY, AttemptId, DeliveryId, make_id
from gateway.domain.messages import Content, EmailContent, Envelope, Outcome, PushContent, SendResult, SmsContent
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
    # What those meet that speak HTTP.
    THROTTLED_UNTIL = "throttled_until"
    """Retry-After is a date."""
    BARE_ERROR = "bare_error"
    """A 5xx from something that is not the provider."""
    RESET_BEFORE_BODY = "reset_before_body"
    RESET_AFTER_BODY = "reset_after_body"
    DRIP = "drip"
    NO_HTTP = "no_http"
    TRUNCATED_GZIP = "truncated_gzip"
    ENDLESS = "endless"
    GARBAGE = "garbage"
    """A 200 that is a page of something else."""
    REDIRECT = "redirect"


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
    Fault.THROTTLED_UNTIL: Outcome.THROTTLED,
    Fault.BARE_ERROR: Outcome.UNKNOWN,
    # Even a request that was cut off may have been whole for whoever read it: only the far side knows.
    Fault.RESET_BEFORE_BODY: Outcome.UNKNOWN,
    Fault.RESET_AFTER_BODY: Outcome.UNKNOWN,
    Fault.DRIP: Outcome.UNKNOWN,
    Fault.NO_HTTP: Outcome.UNKNOWN,
    Fault.TRUNCATED_GZIP: Outcome.UNKNOWN,
    Fault.ENDLESS: Outcome.UNKNOWN,
    Fault.GARBAGE: Outcome.UNKNOWN,
    Fault.REDIRECT: Outcome.MISCONFIGURED,
}


SLOW: Final = frozenset({Fault.NO_ANSWER, Fault.DRIP})
"""What is met only by running out of time."""
COMMON_FAULTS: Final = frozenset(
    {
        Fault.BAD_ADDRESS,
        Fault.BAD_CONTENT,
        Fault.BAD_CREDENTIALS,
        Fault.THROTTLED,
        Fault.TRANSIENT,
        Fault.REFUSED_CONNECTION,
        Fault.NO_ANSWER,
        Fault.CUT_BEFORE,
        Fault.CUT_AFTER,
    }
)
"""What every provider may meet, whatever it speaks."""


def deadline(fault: Fault) -> float:
    """How long a call may take: little where running out of time is the point, else enough for a busy machine."""
    return 0.5 if fault in SLOW else 20.0


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


def telling(envelope: Envelope) -> list[str]:
    """What of an envelope must not be read anywhere: addresses, also without their domain, and devices."""
    return [part for part in (envelope.to.partition("@")[0], *(device.address for device in envelope.devices)) if part]


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
    secrets: tuple[str, ...] = ()
    """What the provider under test was given to keep to itself."""

    def far_side(self) -> AbstractAsyncContextManager[FarSide]:
        """A provider whose far side takes everything."""
        raise NotImplementedError

    def broken(self, fault: Fault) -> AbstractAsyncContextManager[Provider]:
        """A provider whose far side has that fault."""
        raise NotImplementedError

    def envelope(self, channel: Channel, **changes: object) -> Envelope:
        """What is handed over on a channel; to be overridden where the provider wants another sender or device."""
        return make_envelope(channel, **changes)

    @pytest.fixture
    async def side(self) -> AsyncIterator[FarSide]:
        async with self.far_side() as side:
            yield side

    async def test_it_names_itself_and_its_channels(self, side: FarSide) -> None:
        assert side.provider.name == "under-test"
        assert side.provider.capabilities.channels == self.channels
        assert side.provider.capabilities.concurrency > 0

    async def test_it_hands_over_with_our_id(self, side: FarSide) -> None:
        envelopes = [self.envelope(channel) for channel in sorted(self.channels)]

        results = [await side.provider.send(envelope) for envelope in envelopes]

        assert {result.outcome for result in results} <= TAKEN
        assert await side.delivery_ids() == [envelope.delivery_id for envelope in envelopes]

    async def test_of_several_devices_each_is_told_of_in_its_order(self, side: FarSide) -> None:
        if Channel.PUSH not in self.channels:
            return
        device = self.envelope(Channel.PUSH).devices[0]
        assert device.platform in side.provider.capabilities.platforms

        result = await side.provider.send(self.envelope(Channel.PUSH, devices=(device,) * 3))

        assert [told.platform for told in result.devices] == [device.platform.value] * 3

    async def test_a_resend_repeats_our_id_and_an_idempotent_provider_keeps_it_once(self, side: FarSide) -> None:
        envelope = self.envelope(min(self.channels))

        results = [await side.provider.send(envelope) for _ in range(2)]

        assert {result.outcome for result in results} <= TAKEN
        copies = 1 if side.provider.capabilities.idempotent else 2
        assert await side.delivery_ids() == [envelope.delivery_id] * copies

    async def test_many_calls_at_once_each_get_their_own_answer(self, side: FarSide) -> None:
        envelopes = [self.envelope(min(self.channels)) for _ in range(40)]

        results = await asyncio.gather(*map(side.provider.send, envelopes))

        assert {result.outcome for result in results} <= TAKEN
        assert sorted(await side.delivery_ids()) == sorted(envelope.delivery_id for envelope in envelopes)

    async def test_a_channel_that_it_does_not_carry_is_a_wrong_setting(self, side: FarSide) -> None:
        for channel in set(Channel) - self.channels:
            result = await side.provider.send(self.envelope(channel))

            assert result.outcome is Outcome.MISCONFIGURED
        assert await side.delivery_ids() == []

    async def test_each_fault_has_its_outcome_and_no_exception_leaves(self) -> None:
        results = await self._meet_all()

        assert {fault: result.outcome for fault, (_, result) in results.items()} == {
            fault: EXPECTED[fault] for fault in self.faults
        }
        assert all(result.code for _, result in results.values())

    async def test_nothing_is_said_or_logged_that_holds_an_address_or_a_secret(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        said: list[str] = []
        # Libraries may tell more on their own level of detail, which the gateway's logs never show.
        with caplog.at_level(logging.INFO), structlog.testing.capture_logs() as events:
            said += map(repr, (await self._meet_all()).values())
            async with self.far_side() as side:
                said += [repr(await side.provider.send(self.envelope(channel))) for channel in sorted(self.channels)]
                said.append(repr(side.provider))
                assert [secret for secret in self.secrets if secret in repr(vars(side.provider))] == []

        said += [record.getMessage() for record in caplog.records if not record.name.startswith("mail.")]
        hidden = [*self.secrets, *(part for channel in self.channels for part in telling(self.envelope(channel)))]
        assert [(part, text) for part in hidden for text in [*said, *map(repr, events)] if part in text] == []

    async def _meet_all(self) -> dict[Fault, tuple[Provider, SendResult]]:
        """Each fault with the provider that met it and what that said."""
        slow = sorted(self.faults & SLOW)
        met = dict(zip(slow, await asyncio.gather(*map(self._meet, slow)), strict=True))
        for fault in sorted(self.faults - SLOW):
            met[fault] = await self._meet(fault)
        return met

    async def _meet(self, fault: Fault) -> tuple[Provider, SendResult]:
        async with self.broken(fault) as provider:
            return provider, await provider.send(self.envelope(min(self.channels), deadline_seconds=deadline(fault)))

    async def test_a_cancelled_call_leaves_the_provider_usable(self, side: FarSide) -> None:
        channel = min(self.channels)
        call = asyncio.ensure_future(side.provider.send(self.envelope(channel)))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

        result = await side.provider.send(self.envelope(channel))

        assert result.outcome in TAKEN

    async def test_closing_twice_is_fine(self, side: FarSide) -> None:
        await side.provider.send(self.envelope(min(self.channels)))

        await side.provider.aclose()
        await side.provider.aclose()

        assert len(await side.delivery_ids()) == 1
