"""What the hours of their countries mean for the readers of the demo, as the gateway explains it beforehand."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from gateway.cli.demo.people import Person
from gateway.domain.instants import rfc3339

_LONGEST_RUN: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Whether marketing may reach one person on one channel while the demo runs."""

    is_open: bool
    """At its start."""
    changes: bool = False
    """Whether that may be otherwise before its end: what is posted then may wait, or not."""
    rule: str = ""
    """What closes it."""


ALWAYS: Final = Hours(is_open=True)
HoursOf = Mapping[tuple[str, str], Hours]
"""By person and channel; who is not in it is reached at any hour."""


Explain = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""`POST /v1/explain` with this body."""


async def ask_hours(explain: Explain, template: Mapping[str, Any], people: Sequence[Person], now: datetime) -> HoursOf:
    """Ask the gateway what would become of this marketing template on each of its channels, now and a while later."""
    instants = (now, now + _LONGEST_RUN)
    answers = await asyncio.gather(*(explain(_body(template, person, at)) for at in instants for person in people))
    first, later = answers[: len(people)], answers[len(people) :]
    return {
        (person.id, channel): _hours(early, late)
        for person, at_first, then in zip(people, first, later, strict=True)
        for channel, early, late in _by_channel(at_first, then)
    }


def _body(template: Mapping[str, Any], person: Person, at: datetime) -> Mapping[str, Any]:
    data = dict(next(iter(template["samples"].values())))
    return {"template": template["name"], "to": {"id": person.id}, "data": data, "at": rfc3339(at)}


def _by_channel(
    first: Mapping[str, Any], later: Mapping[str, Any]
) -> Iterable[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    for early, late in zip(first["deliveries"], later["deliveries"], strict=True):
        yield early["channel"], early, late


def _hours(early: Mapping[str, Any], late: Mapping[str, Any]) -> Hours:
    held = next((one for one in (early, late) if one["decision"] == "hold"), None)
    return Hours(
        is_open=early["decision"] != "hold",
        changes=early["decision"] != late["decision"],
        rule="" if held is None else held["rule"],
    )
