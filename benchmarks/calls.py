"""Calls to providers: SMTP over kept connections beside one for each message, HTTP beside a bare aiohttp client.

The far side is a sink in a process of its own; each round measures the reference first, then the others, with the same
number of calls under way.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, ExitStack
from datetime import UTC, datetime

import aiohttp
import aiosmtplib

from benchmarks import measure
from benchmarks.measure import Effort
from benchmarks.mime import SENDER, TO, content, ours
from benchmarks.processes import start
from gateway.bootstrap import SystemClock
from gateway.domain.ids import ATTEMPT, AttemptId, make_delivery_id, make_id
from gateway.domain.messages import Envelope, Outcome, SmsContent
from gateway.domain.recipients import Channel
from providers.http import HttpSettings
from providers.sendgrid import SendGridProvider, SendGridSettings, mail_body
from providers.smtp import SmtpProvider, SmtpSettings
from providers.twilio import TwilioProvider, TwilioSettings

AT_ONCE = 16
SMTP_GOAL = "the pool at least 2.5 times one connection for each message"
HTTP_GOAL = "none of its own; what an adapter adds to the client that carries it"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
Call = Callable[[], Awaitable[object]]
Subjects = Mapping[str, Call]
Figures = Mapping[str, tuple[float, float]]
"""Of each subject: calls a second, and the CPU microseconds of each in this process."""


def main(effort: Effort) -> None:
    """Run the rounds and print both tables."""
    with ExitStack() as stack:
        smtp, http = stack.enter_context(start("sink")), stack.enter_context(start("http_sink"))
        asyncio.run(_compare_smtp(int(smtp.port), effort))
        asyncio.run(_compare_http(int(http.port), effort))


def _email() -> Envelope:
    mail = content(1)
    return Envelope(
        delivery_id=make_delivery_id(NOW),
        attempt_id=AttemptId(make_id(ATTEMPT, NOW)),
        channel=Channel.EMAIL,
        live=True,
        sender=SENDER,
        to=TO,
        content=mail,
        mime=_mime(),
        message_id_header="<dlv_1@example.org>",
        expires_at=NOW,
        deadline_seconds=30.0,
    )


def _mime() -> bytes:
    built = ours()(1)
    assert isinstance(built, bytes)
    return built


def _text() -> Envelope:
    return Envelope(
        delivery_id=make_delivery_id(NOW),
        attempt_id=AttemptId(make_id(ATTEMPT, NOW)),
        channel=Channel.SMS,
        live=True,
        sender="+33700000000",
        to="+33612345678",
        content=SmsContent(text="Your parcel is on its way.", encoding="gsm-7", units=26, segments=1, locale="en"),
        expires_at=NOW,
        deadline_seconds=30.0,
    )


async def _compare_smtp(port: int, effort: Effort) -> None:
    email = _email()
    mime = _mime()
    one_each, pool = "a connection for each message", "kept connections"
    library = "aiosmtplib.send for each message"
    async with AsyncExitStack() as stack:

        def sender(messages: int) -> Call:
            provider = SmtpProvider(
                "smtp",
                SmtpSettings(
                    host="127.0.0.1", port=port, connections=AT_ONCE, messages_per_connection=messages, hello="bench"
                ),
            )
            stack.push_async_callback(provider.aclose)

            async def send() -> None:
                assert (await provider.send(email)).outcome is Outcome.SENT

            return send

        async def send_by_library() -> None:
            await aiosmtplib.send(mime, sender="a@b.example", recipients=[TO], hostname="127.0.0.1", port=port)

        subjects = {one_each: sender(1), pool: sender(100), library: send_by_library}
        rows = await _rounds(subjects, effort)
    title = f"SMTP to a sink on loopback without TLS, {len(mime)} bytes, {AT_ONCE} at once"
    _print(title, SMTP_GOAL, subjects, rows)
    measure.print_ratio("kept / one for each", [row[pool][0] / row[one_each][0] for row in rows])


async def _compare_http(port: int, effort: Effort) -> None:
    email, text, clock = _email(), _text(), SystemClock()
    url, http = f"http://127.0.0.1:{port}", HttpSettings(connections=AT_ONCE)
    body = json.dumps(mail_body(email, content(1))).encode()
    bare, sendgrid, twilio = "bare aiohttp client", "sendgrid", "twilio"
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE), cookie_jar=aiohttp.DummyCookieJar())
        )
        mailer = SendGridProvider(sendgrid, SendGridSettings(api_key="SG.bench", base_url=url, http=http), clock)
        texter = TwilioProvider(
            twilio,
            TwilioSettings(
                account_sid="AC0", auth_token="bench", callback_url=f"{url}/webhooks/twilio", base_url=url, http=http
            ),
            clock,
        )
        for provider in (mailer, texter):
            stack.push_async_callback(provider.aclose)

        async def post() -> None:
            headers = {"Authorization": "Bearer SG.bench", "Content-Type": "application/json"}
            async with session.post(f"{url}/v3/mail/send", data=body, headers=headers) as response:
                await response.read()

        async def send_email() -> None:
            assert (await mailer.send(email)).outcome is Outcome.SENT

        async def send_text() -> None:
            assert (await texter.send(text)).outcome is Outcome.SENT

        subjects = {bare: post, sendgrid: send_email, twilio: send_text}
        rows = await _rounds(subjects, effort)
    _print(f"HTTP to a sink on loopback without TLS, {AT_ONCE} at once", HTTP_GOAL, subjects, rows)
    for name in (sendgrid, twilio):
        measure.print_ratio(f"{name} / bare client", [row[name][0] / row[bare][0] for row in rows])


async def _rounds(subjects: Subjects, effort: Effort) -> list[Figures]:
    for call in subjects.values():
        await _burst(call, effort.seconds / 10)
    return [
        {name: await _burst(call, effort.seconds / 2) for name, call in subjects.items()} for _ in range(effort.rounds)
    ]


async def _burst(call: Call, seconds: float) -> tuple[float, float]:
    began, cpu = time.perf_counter(), time.process_time()
    made = 0

    async def keep_calling() -> None:
        nonlocal made
        while time.perf_counter() - began < seconds:
            await call()
            made += 1

    await asyncio.gather(*(keep_calling() for _ in range(AT_ONCE)))
    return made / (time.perf_counter() - began), (time.process_time() - cpu) / made * 1e6


def _print(title: str, goal: str, subjects: Subjects, rows: list[Figures]) -> None:
    measure.print_heading(title, rounds=len(rows), goal=goal)
    table = {name: measure.medians([row[name] for row in rows]) for name in subjects}
    measure.print_rows(("per second", "CPU µs"), table)
