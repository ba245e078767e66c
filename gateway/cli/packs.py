"""How the rules of country packs are told to people and programs."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final

from gateway.domain.durations import format_duration
from gateway.domain.recipients import JsonValue
from gateway.domain.rules import EVERY_DAY, FrequencyCap, Holidays, QuietHours, Weekday, Window
from gateway.policy.packs.reading import Pack, PackLine

_MOST_HOURS: Final = 72


def packs_json(packs: Sequence[Pack], standing: Mapping[str, str]) -> list[dict[str, JsonValue]]:
    """Each pack with its lines; `standing` says by name of a rule whether it is in force."""
    return [
        {
            "country": pack.country,
            "name": pack.name,
            "as_of": pack.as_of.isoformat(),
            "notice": pack.notice,
            "about": pack.about,
            "rules": [_line_json(line, standing[line.rule.name]) for line in pack.lines],
        }
        for pack in packs
    ]


def _line_json(line: PackLine, standing: str) -> dict[str, JsonValue]:
    shown: dict[str, JsonValue] = {
        "rule": line.rule.name,
        "kind": "quiet_hours" if isinstance(line.rule, QuietHours) else "frequency_cap",
        "channels": [channel.value for channel in line.rule.channels],
        "regions": list(line.regions),
        "says": says(line),
        "valid_from": None,
        "source": line.source,
        "as_of": line.as_of.isoformat(),
        "confidence": line.confidence.value,
        "note": line.note,
        "standing": standing,
    }
    if isinstance(line.rule, QuietHours) and line.rule.valid_from is not None:
        shown["valid_from"] = line.rule.valid_from.isoformat()
    return shown


def pack_rows(packs: Sequence[Pack], standing: Mapping[str, str]) -> Iterator[Sequence[str]]:
    """A row for each line: rule, what it says, confidence, date, source, whether it is in force."""
    for pack in packs:
        for line in pack.lines:
            yield (*line_cells(line), standing[line.rule.name])


def line_cells(line: PackLine) -> tuple[str, ...]:
    """A line as the reference lists it: rule, what it says, confidence, date, source with its note."""
    source = f"{line.source}. {line.note}".rstrip(". ")
    return line.rule.name, says(line), line.confidence.value, line.as_of.isoformat(), source


def says(line: PackLine) -> str:
    """The rule in a few words: `sms: mon-sat 08:00-22:00, no holidays`."""
    channels = ", ".join(line.rule.channels) or "every channel"
    where = f" in {', '.join(line.regions)}" if line.regions else ""
    return f"{channels}{where}: {_hours(line.rule) if isinstance(line.rule, QuietHours) else _cap(line.rule)}"


def _hours(rule: QuietHours) -> str:
    parts = [_window(window) for window in rule.allow] or [f"not {_window(window)}" for window in rule.forbid]
    if rule.holidays is Holidays.CLOSED:
        parts.append("no holidays")
    parts += [f"not on {day.isoformat()}" for day in rule.closed_dates]
    if rule.valid_from is not None:
        parts.append(f"since {rule.valid_from.isoformat()}")
    return ", ".join(parts)


def _window(window: Window) -> str:
    hours = f"{_time(window.start)}-{_time(window.end)}"
    return hours if window.days == EVERY_DAY else f"{_days(window.days)} {hours}"


def _days(days: Sequence[Weekday]) -> str:
    """Neighbouring days as a span: `mon-fri`, `mon-fri+sun`."""
    spans: list[list[Weekday]] = []
    for day in sorted(days):
        if spans and day == spans[-1][-1] + 1:
            spans[-1].append(day)
        else:
            spans.append([day])
    return "+".join("-".join(dict.fromkeys((span[0].name.lower(), span[-1].name.lower()))) for span in spans)


def _time(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _cap(cap: FrequencyCap) -> str:
    if not isinstance(cap.per, timedelta):
        return f"at most {cap.limit} a {cap.per.value}"
    hours = cap.per / timedelta(hours=1)
    # In hours: a rolling window of 24 of them is no calendar day.
    per = f"{hours:.0f}h" if hours.is_integer() and hours <= _MOST_HOURS else format_duration(cap.per)
    return f"at most {cap.limit} in any {per}"
