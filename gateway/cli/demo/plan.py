"""What the demo sends, and what must become of each: every template, locale and channel, and the ways to go wrong."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count, cycle
from types import MappingProxyType
from typing import Any, Final

from gateway.cli.demo.hours import ALWAYS, HoursOf
from gateway.cli.demo.people import Cast, Person
from gateway.domain.instants import rfc3339
from gateway.domain.lifecycle import DeliveryStatus, Strategy, message_status

TAG: Final = "demo"
SCHEDULED_AHEAD: Final = timedelta(seconds=2)
LEAVERS: Final = 3
"""How many people leave by the one-click link of an e-mail that they got."""
ENDS: Final[Mapping[str, DeliveryStatus]] = {
    # SMTP gives no receipts, so `sent` is the honest end; the mailbox knows that it arrived.
    "email": DeliveryStatus.SENT,
    "sms": DeliveryStatus.DELIVERED,
    "push": DeliveryStatus.DELIVERED,
}
_SENDS: Final = frozenset(ENDS.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One message to post, and its right end."""

    kind: str
    """What it shows, such as `all channels` or `no consent`."""
    body: Mapping[str, Any]
    deliveries: Mapping[str, DeliveryStatus] = field(default_factory=dict)
    """Channel → where its delivery must end; empty when the message must be refused."""
    held_by: Mapping[str, str] = field(default_factory=dict)
    """Channel → the rule on hours that may hold it there; where its end is another than `held`, either is right."""
    refused: str | None = None
    """The JSON pointer that a refusal must name."""
    cancel: bool = False
    """To be taken back right after it was accepted."""

    @property
    def status(self) -> DeliveryStatus | None:
        """Where the message must end; None when it must be refused."""
        return None if self.refused is not None else self.status_of(self.deliveries)

    def status_of(self, ends: Mapping[str, DeliveryStatus]) -> DeliveryStatus:
        """Where the message stands when its deliveries stand there."""
        return message_status(Strategy(self.body.get("strategy", "first")), list(ends.values()))

    @property
    def is_sent(self) -> bool:
        """Whether someone must have got it."""
        return any(status in _SENDS and channel not in self.held_by for channel, status in self.deliveries.items())

    def wanted(self, ends: Mapping[str, str]) -> Mapping[str, DeliveryStatus]:
        """Where its deliveries must end, given where they did: of two right ends the one that came about."""
        return {
            channel: DeliveryStatus.HELD if channel in self.held_by and ends.get(channel) == "held" else status
            for channel, status in self.deliveries.items()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All messages, in the order of posting."""

    messages: tuple[Planned, ...]
    leaving: tuple[Planned, ...]
    """Marketing e-mails whose readers then leave by their one-click link."""
    after_leaving: tuple[Planned, ...]
    """To the same people once they left: must be suppressed."""

    @property
    def size(self) -> int:
        """How many messages are posted in all."""
        return len(self.messages) + len(self.leaving) + len(self.after_leaving)


def make_plan(
    templates: Sequence[Mapping[str, Any]], cast: Cast, size: int, now: datetime, hours: HoursOf = MappingProxyType({})
) -> Plan:
    """A plan of about `size` messages; every template, locale and channel is in it whatever the size.

    Marketing to people whose hours are closed must be held.
    """
    fans, strangers = cast.fans, cast.strangers
    covering = [_in_hours(planned, person, hours) for planned, person in _covering(templates, fans)]
    odd = [
        *_scheduled(templates, fans, now),
        *_cancelled(templates, fans, now),
        *_without_consent(templates, strangers),
        *_falling_back(templates, cast.lost),
        *_refused(_transactional(templates), fans[0], now),
    ]
    marketing = [template for template in templates if template["category"] == "marketing"]
    leaving = [_to_one(marketing[0], strangers[n], "email", 0, kind="leaves") for n in range(LEAVERS)]
    after = [_suppressed(planned, "left") for planned in leaving]
    more = max(0, size - len(covering) - len(odd) - len(leaving) - len(after))
    singles = [planned for planned, _ in zip(_singles(templates, fans), range(more), strict=False)]
    return Plan(messages=_mixed(covering, singles, odd), leaving=tuple(leaving), after_leaving=tuple(after))


def _mixed(*groups: list[Planned]) -> tuple[Planned, ...]:
    """All groups, spread over each other evenly, so that no kind comes in one lump."""
    placed = [(position / len(group), planned) for group in groups for position, planned in enumerate(group)]
    return tuple(planned for _, planned in sorted(placed, key=lambda pair: pair[0]))


def _data(template: Mapping[str, Any], person: Person, turn: int) -> dict[str, Any]:
    samples = list(template["samples"].values())
    data = dict(samples[turn % len(samples)])
    if "name" in template["variables"]:
        data["name"] = person.name
    return data


def _body(template: Mapping[str, Any], person: Person, channels: Sequence[str], turn: int) -> dict[str, Any]:
    return {
        "template": template["name"],
        "to": {"id": person.id},
        "channels": list(channels),
        "data": _data(template, person, turn),
        "tags": [TAG],
        "metadata": {"locale": person.locale},
    }


def _to_one(template: Mapping[str, Any], person: Person, channel: str, turn: int, *, kind: str) -> Planned:
    return Planned(
        kind=kind,
        body={**_body(template, person, [channel], turn), "strategy": "first"},
        deliveries={channel: ENDS[channel]},
    )


def _covering(
    templates: Sequence[Mapping[str, Any]], people: Sequence[Person]
) -> Iterator[tuple[Planned, Person | None]]:
    """Each template in each locale on all its channels at once; with the person where it is marketing."""
    for turn, template in enumerate(templates):
        for place, person in enumerate(people):
            body = {**_body(template, person, template["channels"], turn + place), "strategy": "all"}
            ends = {name: ENDS[name] for name in template["channels"]}
            planned = Planned(kind="all channels", body=body, deliveries=ends)
            yield planned, person if template["category"] == "marketing" else None


def _in_hours(planned: Planned, person: Person | None, hours: HoursOf) -> Planned:
    """What becomes of marketing to that person; of what is no marketing hours say nothing."""
    if person is None:
        return planned
    closing = {name: hours.get((person.id, name), ALWAYS) for name in planned.deliveries}
    shut = {name: DeliveryStatus.HELD for name, one in closing.items() if not one.is_open and not one.changes}
    return replace(
        planned,
        deliveries={**planned.deliveries, **shut},
        held_by={name: one.rule for name, one in closing.items() if one.rule},
    )


def _singles(templates: Sequence[Mapping[str, Any]], people: Sequence[Person]) -> Iterator[Planned]:
    """One channel each, round and round through templates, people and samples.

    Marketing goes by e-mail alone, whose hours are open: a large plan would soon meet the caps of some countries.
    """
    readers = cycle(people)
    for turn in count():
        for template in templates:
            is_marketing = template["category"] == "marketing"
            channel = "email" if is_marketing else template["channels"][turn % len(template["channels"])]
            yield _to_one(template, next(readers), channel, turn, kind="one channel")


def _transactional(templates: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return next(template for template in templates if template["name"] == "order-shipped")


def _scheduled(templates: Sequence[Mapping[str, Any]], people: Sequence[Person], now: datetime) -> Iterator[Planned]:
    template, later = _transactional(templates), rfc3339(now + SCHEDULED_AHEAD)
    for turn, person in enumerate(people):
        planned = _to_one(template, person, template["channels"][turn % 3], turn, kind="scheduled")
        yield replace(planned, body={**planned.body, "send_at": later})


def _cancelled(templates: Sequence[Mapping[str, Any]], people: Sequence[Person], now: datetime) -> Iterator[Planned]:
    template, later = _transactional(templates), rfc3339(now + timedelta(hours=1))
    for turn, person in enumerate(people[:8]):
        planned = _to_one(template, person, template["channels"][turn % 3], turn, kind="cancelled")
        ends = dict.fromkeys(planned.deliveries, DeliveryStatus.CANCELLED)
        yield replace(planned, body={**planned.body, "send_at": later}, deliveries=ends, cancel=True)


def _without_consent(templates: Sequence[Mapping[str, Any]], strangers: Sequence[Person]) -> Iterator[Planned]:
    marketing = cycle([template for template in templates if template["category"] == "marketing"])
    for turn, person in enumerate(strangers[LEAVERS:]):
        template = next(marketing)
        channel = template["channels"][turn % len(template["channels"])]
        yield _suppressed(_to_one(template, person, channel, turn, kind="no consent"), "no consent")


def _suppressed(planned: Planned, kind: str) -> Planned:
    ends = dict.fromkeys(planned.deliveries, DeliveryStatus.SUPPRESSED)
    return replace(planned, kind=kind, deliveries=ends)


def _falling_back(templates: Sequence[Mapping[str, Any]], lost: Sequence[Person]) -> Iterator[Planned]:
    """Their phones are suppressed, so a message that would rather be a text becomes an e-mail."""
    template = _transactional(templates)
    for turn, person in enumerate(lost[:4]):
        body = {**_body(template, person, ["sms", "email"], turn), "strategy": "first"}
        body["to"] = {"email": person.email, "phone": person.phone, "locale": person.locale}
        ends = {"sms": DeliveryStatus.SUPPRESSED, "email": ENDS["email"]}
        yield Planned(kind="falls back", body=body, deliveries=ends)


def _refused(template: Mapping[str, Any], person: Person, now: datetime) -> Iterator[Planned]:
    good = {**_body(template, person, ["email"], 0), "strategy": "first"}
    without_order = {name: value for name, value in good["data"].items() if name != "order"}
    wrong: dict[str, dict[str, Any]] = {
        "/data/order": {"data": without_order},
        "/template": {"template": "no-such-template"},
        "/to/email": {"to": {"email": "amina@@example.org"}},
        "/to/phone": {"to": {"phone": "12345"}, "channels": ["sms"]},
        "/to/locale": {"to": {"id": person.id, "locale": "qqq-QQ"}},
        "/to/timezone": {"to": {"id": person.id, "timezone": "Europe/Atlantis"}},
        "/data/total": {"data": {**good["data"], "total": {"amount": "1.00", "currency": "XQZ"}}},
        "/data/eta": {"data": {**good["data"], "eta": "tomorrow"}},
        "/channels": {"channels": ["pigeon"]},
        "/expires_at": {"send_at": rfc3339(now + timedelta(hours=2)), "expires_at": rfc3339(now + timedelta(hours=1))},
    }
    for pointer, change in wrong.items():
        yield Planned(kind="refused", body={**good, **change}, refused=pointer)
