"""Every kind of provider takes a message and loses its answer: nothing goes twice unless the category says so.

The long form loses a thousand answers for each kind and category; what it counted is in its log.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeVar

import pytest
import pytest_asyncio
import structlog

from gateway.delivery.accepting.accept import Accepted, Asked
from gateway.domain.lifecycle import DeliveryStatus, Evidence
from gateway.domain.messages import Attempt, Outcome, SendRequest
from gateway.domain.receipts import Receipt
from gateway.errors import Unavailable
from gateway.ports import MailboxItem, MessageRecord
from tests.certificates import make_certificate
from tests.forgetful import Kind, forgetful_kinds
from tests.modes import Mode
from tests.rigs import Rig, open_rig
from tests.waiting import eventually

MODES = ("embedded", "scaled")
S = DeliveryStatus
_LONG: Final = bool(os.environ.get("HELIOGRAPH_LONG"))
_ANSWERS: Final = 1_000 if _LONG else 2
_ACCOUNTS: Final = _ANSWERS // 2
_SECONDS: Final = 300.0 if _LONG else 20.0
_AT_ONCE: Final = 8
"""There are only so many connections to read by."""
_TEMPLATE = """
description = "Says something on any channel"
category = "{category}"
channels = ["email", "sms", "push"]
[variables]
text = {{type = "string", max_length = 100}}
[samples.usual]
text = "hello"
"""
_POLICIES: Final = {"never": "transactional", "resend": "critical"}
T = TypeVar("T")
R = TypeVar("R")

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(3_600 if _LONG else 120)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def proving(mode: Mode, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Rig, Sequence[Kind]]]:
    """A gateway with many accounts of each kind, so that none loses so many answers that it is left alone."""
    with mode.furnished(tmp_path_factory.mktemp("lost")) as folder:
        async with forgetful_kinds(_ACCOUNTS, make_certificate(folder)) as (kinds, boxes):
            routes = [kind.route for kind in kinds]
            rest = [{"channel": channel, "providers": ["mailbox"]} for channel in ("email", "sms", "push")]
            opening = open_rig(
                folder,
                further=boxes,
                routes=[*routes, *rest],
                providers={"mailbox": {"kind": "mailbox"}} | {n: s for kind in kinds for n, s in kind.sections.items()},
                content={"templates": _write_templates(folder / "sayings")},
                delivery={"unknown_after": "20s" if _LONG else "700ms", "on_unknown": {"critical": "resend"}},
                security={"allow_private_endpoints": ["127.0.0.1"]},
            )
            async with opening as rig:
                for box in boxes:
                    box.behind = rig.working.providers["mailbox"]
                yield rig, kinds


def _write_templates(root: Path) -> Path:
    for policy, category in _POLICIES.items():
        for file, text in (
            ("template.toml", _TEMPLATE.format(category=category)),
            ("email/subject.txt", "Note"),
            ("email/body.txt", "{{ text }}"),
            ("email/body.html", "<p>{{ text }}</p>"),
            ("sms/body.txt", "Note: {{ text }}"),
            ("push/title.txt", "Note"),
            ("push/body.txt", "{{ text }}"),
        ):
            path = root / policy / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return root


async def test_no_lost_answer_makes_a_second_message_unless_the_category_allows_it(
    proving: tuple[Rig, Sequence[Kind]],
) -> None:
    rig, kinds = proving
    tries = [(kind, policy) for kind in kinds for policy in _POLICIES]
    if _LONG:
        for kind, policy in tries:
            await prove(rig, kind, policy)
    else:
        await asyncio.gather(*(prove(rig, kind, policy) for kind, policy in tries))


async def prove(rig: Rig, kind: Kind, policy: str) -> None:
    """Lose the answers of one kind under one policy, and count."""
    began = time.monotonic()
    first = _ANSWERS * list(_POLICIES).index(policy)
    accepted = await _each(range(first, first + _ANSWERS), lambda number: _send(rig, kind, policy, number))
    expected = _expected(kind, policy)

    records = await _settled(rig, accepted, expected)
    kinds_told = await _each(accepted, rig.events)

    takes = [kind.far_side.takes[_key(kind, record)] for record in records]
    lost = [sum(map(_is_lost, record.deliveries[0].attempts)) for record in records]
    copies = len(await _each(records, lambda record: _kept(rig, record))) if kind.repeats else sum(takes)
    shown = sum("delivery.unknown" in told for told in kinds_told)
    assert min(takes) >= 1
    assert min(lost) >= 1
    if kind.repeats or policy == "never":
        assert copies == _ANSWERS
    # A second call follows only on a lost answer.
    assert all(taken - 1 <= ambiguous for taken, ambiguous in zip(takes, lost, strict=True))
    assert shown == (0 if kind.repeats else _ANSWERS)
    settled = await _tell(rig, records) if expected is S.UNKNOWN else records
    structlog.get_logger().info(
        "lost_answers.proved",
        kind=kind.name,
        policy=policy,
        messages=_ANSWERS,
        lost=sum(lost),
        twice=copies - _ANSWERS,
        shown_as_unknown=shown,
        ended=dict(Counter(record.status.value for record in records)),
        by_receipt=dict(Counter(record.status.value for record in settled)) if expected is S.UNKNOWN else None,
        seconds=round(time.monotonic() - began, 1),
    )


def _is_lost(attempt: Attempt) -> bool:
    return attempt.result is None or attempt.result.outcome is Outcome.UNKNOWN


def _expected(kind: Kind, policy: str) -> DeliveryStatus:
    if kind.repeats:
        return S.DELIVERED
    return S.SENT if kind.finds or policy == "resend" else S.UNKNOWN


async def _send(rig: Rig, kind: Kind, policy: str, number: int) -> Accepted:
    request = SendRequest(
        template=policy, to=kind.make_to(number), channels=(kind.channel,), data={"text": f"Number {number}"}
    )
    return await rig.gateway.acceptor.accept(rig.service_id, True, Asked(request=request, key=None))


async def _settled(rig: Rig, accepted: Sequence[Accepted], status: DeliveryStatus) -> Sequence[MessageRecord]:
    """All as expected, and nothing left to do for any."""

    async def left(of: Sequence[Accepted]) -> Sequence[Accepted]:
        records = await _each(of, rig.read)
        return [one for one, record in zip(of, records, strict=True) if record.status is not status]

    waiting = list(accepted)
    deadline = time.monotonic() + _SECONDS
    while waiting := list(await left(waiting)):
        assert time.monotonic() < deadline, await rig.read(waiting[0])
        await asyncio.sleep(0.05)
    await eventually(
        rig.gateway.store.dispatch.next_due,
        lambda due: due is None or due > rig.gateway.clock.now() + timedelta(minutes=1),
        _SECONDS,
    )
    records = await _each(accepted, rig.read)
    assert {record.status for record in records} == {status}
    return records


async def _tell(rig: Rig, records: Sequence[MessageRecord]) -> Sequence[MessageRecord]:
    """A receipt for each settles what was unknown, whenever it comes."""
    deliveries = [record.deliveries[0].delivery for record in records]

    async def tell(number: int) -> None:
        one = deliveries[number]
        told = Receipt(event_id=f"{one.id}-arrived", delivery_id=one.id, status="ok", evidence=Evidence.DELIVERED)
        await rig.gateway.tracker.take_in(one.provider or "", [told])

    await _each(range(len(deliveries)), tell)
    settled = await _each(records, lambda record: rig.gateway.log.read(record.message.id, None))
    assert {record.status for record in settled} == {S.DELIVERED}
    return settled


def _key(kind: Kind, record: MessageRecord) -> str:
    return kind.key_of(record.deliveries[0].delivery.id, record.message.to)


async def _kept(rig: Rig, record: MessageRecord) -> MailboxItem:
    return await rig.gateway.mailbox.get_item(record.deliveries[0].delivery.id)


async def _each(things: Sequence[T], do: Callable[[T], Awaitable[R]]) -> list[R]:
    """Do it for all, some at once."""
    done: list[R] = []
    for start in range(0, len(things), _AT_ONCE):
        done += await asyncio.gather(*(_persist(do, one) for one in things[start : start + _AT_ONCE]))
    return done


async def _persist(do: Callable[[T], Awaitable[R]], thing: T) -> R:
    """As every caller does while the store is out of breath on a busy machine."""
    while True:
        try:
            return await do(thing)
        except Unavailable:
            await asyncio.sleep(0.1)
