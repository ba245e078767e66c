"""What a person asked for in the preference centre: own hours, own frequency, a break, and the zone they live by.

It is kept in the shape of the rules that it becomes, so that policy reads all rules alike.
"""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any, Final

from gateway.domain.encoding import decode, encode
from gateway.domain.recipients import OWN_TIMEZONE, JsonValue
from gateway.domain.rule_tables import parse_rules
from gateway.domain.rules import EVERY_DAY, MINUTES_OF_DAY, NO_RULES, RECIPIENT, Calendar, RuleSet, Window
from gateway.domain.values import Value

HOURS: Final = "own-hours"
FREQUENCY: Final = "own-frequency"
BREAK: Final = "own-break"
"""The names of the rules, as the trace shows them."""


class Frequency(Value, frozen=True, kw_only=True):
    """At most so many messages in a period."""

    limit: int
    per: Calendar


class Wishes(Value, frozen=True, kw_only=True):
    """What a person asked for, of the messages that need consent; None where nothing was said."""

    quiet: Window | None = None
    """When nothing is to come."""
    frequency: Frequency | None = None
    break_until: date | None = None
    """The last local day of a break."""
    timezone: str | None = None
    """IANA."""

    def __bool__(self) -> bool:
        return self != NO_WISHES


NO_WISHES: Final = Wishes()


def wishes_json(wishes: Wishes) -> dict[str, JsonValue] | None:
    """The wishes as a recipient keeps them; None where there are none."""
    hours: list[JsonValue] = []
    if wishes.quiet is not None:
        hours.append({"name": HOURS, "forbid": [_window_json(wishes.quiet)]})
    if wishes.break_until is not None:
        whole_day: JsonValue = {"from": "00:00", "to": "24:00"}
        hours.append({"name": BREAK, "forbid": [whole_day], "valid_until": wishes.break_until.isoformat()})
    kept: dict[str, JsonValue] = {"quiet_hours": hours} if hours else {}
    if wishes.frequency is not None:
        limit, per = wishes.frequency.limit, wishes.frequency.per.value
        kept["frequency_caps"] = [{"name": FREQUENCY, "limit": limit, "per": per, "categories": ["marketing"]}]
    if wishes.timezone is not None:
        kept[OWN_TIMEZONE] = wishes.timezone
    return kept or None


def wishes_of(preferences: Mapping[str, JsonValue] | None) -> Wishes:
    """The wishes that a recipient keeps."""
    if not preferences:
        return NO_WISHES
    rules, zone = own_rules(preferences), preferences.get(OWN_TIMEZONE)
    hours = {rule.name: rule for rule in rules.quiet_hours}
    frequencies = [
        Frequency(limit=cap.limit, per=cap.per) for cap in rules.frequency_caps if isinstance(cap.per, Calendar)
    ]
    return Wishes(
        quiet=hours[HOURS].forbid[0] if HOURS in hours else None,
        frequency=next(iter(frequencies), None),
        break_until=hours[BREAK].valid_until if BREAK in hours else None,
        timezone=zone if isinstance(zone, str) else None,
    )


def own_rules(preferences: Mapping[str, JsonValue] | None) -> RuleSet:
    """The rules that follow from what a recipient keeps."""
    return _parsed(encode(preferences)) if preferences else NO_RULES


# People are written to again, and wish alike.
@lru_cache(maxsize=4_096)
def _parsed(preferences: bytes) -> RuleSet:
    tables: dict[str, Any] = decode(preferences)
    return parse_rules({name: table for name, table in tables.items() if name != OWN_TIMEZONE}, RECIPIENT)


def _window_json(window: Window) -> JsonValue:
    told: dict[str, JsonValue] = {"from": _time(window.start), "to": _time(window.end)}
    if window.days != EVERY_DAY:
        told["days"] = [day.name.lower() for day in window.days]
    return told


def _time(minutes: int) -> str:
    return "24:00" if minutes == MINUTES_OF_DAY else f"{minutes // 60:02}:{minutes % 60:02}"
