"""The server that bounces come to, by what it says to whoever connects."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiosmtplib
import pytest

from gateway.domain.ids import AttemptId, DeliveryId
from gateway.errors import Unavailable
from gateway.ports import ExpectedBounce
from providers.bounce_listener import bounce_listener

EXPECTED = "bounce+dlv_1@bounces.test"
OURS = ExpectedBounce(delivery_id=DeliveryId("dlv_1"), address=None, calls=((AttemptId("att_1"), "relay"),))
MAIL = b"Subject: failure\r\n\r\nIt did not arrive.\r\n"


@dataclass
class Intake:
    """Expects one address, as long as nothing is wrong."""

    wrong: Exception | None = None
    taken: list[tuple[ExpectedBounce, bytes]] = field(default_factory=list)

    async def expect(self, address: str) -> ExpectedBounce | None:
        return OURS if address == EXPECTED else None

    async def take_in(self, expected: ExpectedBounce, mail: bytes) -> None:
        if self.wrong is not None:
            raise self.wrong
        self.taken.append((expected, mail))


@asynccontextmanager
async def listening(intake: Intake) -> AsyncIterator[int]:
    listener = bounce_listener(intake, host="127.0.0.1", port=0)
    await listener.start()
    try:
        yield listener.address[1]
    finally:
        await listener.aclose()


async def hand_in(port: int, mail: bytes = MAIL, *to: str) -> int:
    """The code that decided it."""
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port) as client:
        await client.ehlo()
        try:
            await client.sendmail("", list(to) or [EXPECTED], mail)
        except aiosmtplib.SMTPRecipientsRefused as error:
            return error.recipients[0].code
        except aiosmtplib.SMTPResponseException as error:
            return error.code
        return 250


async def test_what_is_expected_is_taken_and_what_is_not_is_refused_before_its_text() -> None:
    intake = Intake()
    async with listening(intake) as port:
        codes = [await hand_in(port), await hand_in(port, MAIL, "stranger@bounces.test")]

    assert codes == [250, 550]
    assert [expected for expected, _ in intake.taken] == [OURS]


@pytest.mark.parametrize("wrong", [Unavailable("the disk is full"), RuntimeError("a defect with a secret")])
async def test_whatever_goes_wrong_here_the_mail_is_to_be_brought_again(wrong: Exception) -> None:
    async with listening(Intake(wrong=wrong)) as port:
        assert await hand_in(port) == 451


async def test_a_mail_that_is_too_large_is_refused() -> None:
    async with listening(Intake()) as port:
        assert await hand_in(port, MAIL + b"x" * 98 * 110_000) == 552


async def test_who_comes_when_all_places_are_taken_is_turned_away() -> None:
    async with listening(Intake()) as port:
        connections = [await asyncio.open_connection("127.0.0.1", port) for _ in range(51)]
        greetings = [await reader.readline() for reader, _ in connections]
        for _, writer in connections:
            writer.close()

    assert [greeting[:3] for greeting in greetings] == [b"220"] * 50 + [b"421"]
