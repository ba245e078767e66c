"""The judge: holds the ledger, the providers' journals and the gateway's own word against each other.

lost       a 202 that the gateway does not know any more, or that ended although it could be sent and nobody took it
duplicate  accepts beyond the first of one delivery; what a lying provider denied is not counted
ghost      an accept of what nobody was promised, after every uncertain post was repeated with its key
late       an accept before `send_at`, after `expires_at`, or after what a row adds
stuck      not settled when the time for it was over
unknown    settled as such: the provider's answer was lost, and it was not sent again
"""

import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from tests.faults.house import House
from tests.faults.ledger import Ledger
from tests.faults.provider import Accept, Stub
from tests.faults.stores import statuses
from tests.waiting import eventually

_PAGE: Final = 200
MOVING: Final = frozenset({"accepted", "scheduled", "held", "queued", "sending", "claimed"})
_TAKEN: Final = frozenset({"sent", "delivered", "unknown"})
_LATE_SECONDS: Final = 0.5
"""What may lie between the gateway's last look at its clock and the last octet at the provider."""


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What one row came to in one mode."""

    trials: int = 0
    """Faults that were injected and hit what they aimed at."""
    promised: int = 0
    accepted: int = 0
    lost: int = 0
    duplicate: int = 0
    ghost: int = 0
    late: int = 0
    stuck: int = 0
    unknown: int = 0
    slowest: float = 0.0
    """Seconds from due to the provider, for the message that took longest."""
    problems: list[str] = field(default_factory=list)
    """Everything that had to hold and did not, in words."""
    figures: dict[str, float | int | str] = field(default_factory=dict)

    def require(self, holds: bool, sentence: str) -> None:
        """Write down what had to hold where it did not."""
        if not holds:
            self.problems.append(sentence)

    def add(self, other: "Verdict") -> None:
        """Take in another gateway's verdict on the same row."""
        for name in ("trials", "promised", "accepted", "lost", "duplicate", "ghost", "late", "stuck", "unknown"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.slowest = max(self.slowest, other.slowest)
        self.problems += other.problems
        self.figures |= other.figures

    @property
    def bound(self) -> str:
        """The rule of three: without a failure in n trials, less than 3/n of all fail, at 95 %."""
        return f"< {min(3 / self.trials, 1):.1%}" if self.trials else "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What a row may end in beside delivery."""

    unknown: int = 0
    """Lost answers: as many as calls were in flight at the faults."""
    duplicate: int = 0
    """As many, where the category says resend."""
    statuses: Collection[str] = ()
    """Ends that the row brings about, such as `expired`."""
    resends: bool = False
    """`unknown` is not the end: it is sent again."""
    ahead: timedelta = timedelta(0)
    """By how much the gateway's clock was set ahead of the provider's when the last messages went."""


async def judge(  # noqa: PLR0917
    house: House,
    ledger: Ledger,
    stubs: Sequence[Stub],
    trials: int,
    allowed: Allowed = Allowed(),
    seconds: float = 60.0,
) -> Verdict:
    """Repeat what is uncertain, wait until all is settled, no longer than `seconds`, and count."""
    began = time.monotonic()
    await ledger.settle(seconds)
    await _drain(house, allowed, seconds)
    drained = time.monotonic() - began
    messages = await read_all(house)
    verdict = Verdict(trials=trials, promised=len(ledger.promised))
    accepts = [accept for stub in stubs for accept in stub.accepts()]
    _count(verdict, ledger, messages, accepts, allowed)
    verdict.figures["drained_s"] = round(drained, 1)
    verdict.problems += ledger.broken + house.broken
    verdict.problems += [f"log: {line}" for line in house.trouble()[:3]]
    for name in ("lost", "ghost", "late", "stuck"):
        verdict.require(getattr(verdict, name) == 0, f"{name} {getattr(verdict, name)}")
    verdict.require(verdict.duplicate <= allowed.duplicate, f"duplicates {verdict.duplicate} > {allowed.duplicate}")
    verdict.require(verdict.unknown <= allowed.unknown, f"unknown {verdict.unknown} > {allowed.unknown}")
    return verdict


async def _drain(house: House, allowed: Allowed, seconds: float) -> None:
    moving = MOVING | {"unknown"} if allowed.resends else MOVING

    async def left() -> int:
        return sum(count for status, count in (await statuses(house.view)).items() if status in moving)

    try:
        await eventually(left, lambda count: count == 0, seconds)
    except AssertionError:
        return  # what is left is counted as stuck


async def read_all(house: House) -> dict[str, Mapping[str, Any]]:
    """Every message as the API lists it, by id."""
    found: dict[str, Mapping[str, Any]] = {}
    cursor: str | None = None
    while True:
        status, page = await house.get(f"/v1/messages?limit={_PAGE}" + (f"&cursor={cursor}" if cursor else ""))
        assert status == 200, page
        found |= {message["id"]: message for message in page["items"]}
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def _count(
    verdict: Verdict,
    ledger: Ledger,
    messages: Mapping[str, Mapping[str, Any]],
    accepts: Sequence[Accept],
    allowed: Allowed,
) -> None:
    promised = set(ledger.promised.values())
    verdict.require(len(promised) == len(ledger.promised), "two keys were promised one message")
    by_delivery: dict[str, list[Accept]] = {}
    for accept in accepts:
        by_delivery.setdefault(accept.delivery, []).append(accept)
    verdict.accepted = len(accepts)
    known: set[str] = set()
    odd: Counter[str] = Counter()
    slowest = 0.0
    for message_id in promised:
        message = messages.get(message_id)
        if message is None:
            verdict.lost += 1
            continue
        for delivery in message["deliveries"]:
            known.add(delivery["id"])
            taken = by_delivery.get(delivery["id"], [])
            _count_delivery(verdict, delivery, taken, allowed, odd)
            verdict.late += sum(not _in_time(message, accept, allowed) for accept in taken)
            if taken and not allowed.ahead:
                due = max(_seconds(message["created_at"]), _seconds(message["send_at"] or message["created_at"]))
                slowest = max(slowest, taken[0].at - due)
    verdict.slowest = slowest
    verdict.ghost = sum(len(taken) for delivery, taken in by_delivery.items() if delivery not in known)
    verdict.ghost += sum(message_id not in promised for message_id in messages)
    verdict.problems += [f"{count} × {sentence}" for sentence, count in odd.items()]


def _count_delivery(
    verdict: Verdict, delivery: Mapping[str, Any], taken: Sequence[Accept], allowed: Allowed, odd: Counter[str]
) -> None:
    status, by_stub = delivery["status"], delivery["provider"] != "mailbox" and delivery["channel"] == "email"
    verdict.duplicate += max(sum(not accept.is_lie for accept in taken) - 1, 0)
    verdict.unknown += status == "unknown"
    if status in MOVING:
        verdict.stuck += 1
        odd[f"stuck as {status} ({delivery['reason']})"] += 1
    elif status not in _TAKEN and status not in allowed.statuses:
        verdict.lost += 1
        odd[f"ended as {status} ({delivery['reason']})"] += 1
    elif status in ("sent", "delivered") and by_stub and not taken:
        verdict.lost += 1
        odd[f"{status}, and nobody took it"] += 1
    elif status not in _TAKEN and taken:
        odd[f"{status} ({delivery['reason']}), and the provider has it"] += 1


def _in_time(message: Mapping[str, Any], accept: Accept, allowed: Allowed) -> bool:
    earliest, latest = message["send_at"], _seconds(message["expires_at"]) + _LATE_SECONDS
    is_early = earliest is not None and accept.at + allowed.ahead.total_seconds() < _seconds(earliest)
    return not is_early and accept.at <= latest


def _seconds(instant: str) -> float:
    return datetime.fromisoformat(instant).timestamp()
