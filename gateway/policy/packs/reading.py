"""Reading the packs: every line must say where it comes from, when it was looked at, and how sure it is."""

import tomllib
from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum
from importlib import resources
from typing import Final

from gateway.domain.rule_tables import WrongRules, parse_rules
from gateway.domain.rules import FrequencyCap, QuietHours, RuleSet
from gateway.domain.values import Value
from gateway.errors import ConfigurationError

_NOTICE: Final = "Not legal advice."
_HEAD: Final = frozenset({"country", "name", "as_of", "notice", "about", "quiet_hours", "frequency_caps"})
_LONGEST_REGION: Final = 6


class Confidence(StrEnum):
    """How sure a line is of the law that it follows."""

    HIGH = "high"
    """The text of the rule, or several sources that agree."""
    MEDIUM = "medium"
    """The rule is known by name, its reach to messages is argued about or told by others."""
    LOW = "low"
    """A custom, a rule for calls taken over for messages, or the gateway's own conservative default."""


class PackLine(Value, frozen=True, kw_only=True):
    """One rule of a pack, with where it comes from."""

    rule: QuietHours | FrequencyCap
    country: str
    regions: tuple[str, ...]
    """ISO 3166-2; empty: the whole country."""
    source: str
    as_of: date
    """When the line was last held against its source."""
    confidence: Confidence
    note: str


class Pack(Value, frozen=True, kw_only=True):
    """The rules that hold in one country unless the operator says otherwise."""

    country: str
    """ISO 3166-1 alpha-2."""
    name: str
    as_of: date
    """When the whole pack was last gone through."""
    notice: str
    about: str
    """What else one should know who writes to people there; no rule follows from it."""
    lines: tuple[PackLine, ...]


def load_packs() -> Mapping[str, Pack]:
    """Every pack that ships, by country. Raises ConfigurationError where one cannot be meant."""
    found = [
        read_pack(file.name.removesuffix(".toml"), file.read_text(encoding="utf-8"))
        for file in sorted(resources.files(__package__).iterdir(), key=lambda file: file.name)
        if file.name.endswith(".toml")
    ]
    return {pack.country: pack for pack in found}


def read_pack(country: str, text: str) -> Pack:
    """One pack from its text. Raises ConfigurationError that names the line that is wrong."""
    try:
        values: dict[str, object] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _wrong(country, str(error)) from error
    if values.get("country") != country:
        raise _wrong(country, f"it is the pack of {values.get('country')!r}")
    if values.get("notice") != _NOTICE:
        raise _wrong(country, f"it must say as its notice {_NOTICE!r}")
    if others := sorted(set(values) - _HEAD):
        raise _wrong(country, f"there is no such key: {', '.join(others)}")
    lines = (*_hours(country, _tables(country, values, "quiet_hours")),)
    caps = (*_caps(country, _tables(country, values, "frequency_caps")),)
    return Pack(
        country=country,
        name=_text(country, values, "name"),
        as_of=_date(country, values),
        notice=_NOTICE,
        about=_text(country, values, "about", needed=False),
        lines=lines + caps,
    )


def _hours(country: str, tables: Sequence[dict[str, object]]) -> Sequence[PackLine]:
    kept = [{name: value for name, value in table.items() if name not in {"as_of", "note"}} for table in tables]
    rules = _parsed(country, {"quiet_hours": [{"countries": [country], **table} for table in kept]}).quiet_hours
    return [_line(country, table, rule, rule.regions) for table, rule in zip(tables, rules, strict=True)]


def _caps(country: str, tables: Sequence[dict[str, object]]) -> Sequence[PackLine]:
    """Caps have no place of their own: which regions one is for stands beside it."""
    own = {"as_of", "note", "source", "confidence", "regions"}
    kept = [{name: value for name, value in table.items() if name not in own} for table in tables]
    rules = _parsed(country, {"frequency_caps": kept}).frequency_caps
    return [_line(country, table, cap, _regions(country, table)) for table, cap in zip(tables, rules, strict=True)]


def _parsed(country: str, tables: Mapping[str, object]) -> RuleSet:
    try:
        return parse_rules(tables, f"pack:{country}")
    except WrongRules as error:
        raise _wrong(country, str(error)) from error


def _line(
    country: str, table: Mapping[str, object], rule: QuietHours | FrequencyCap, regions: tuple[str, ...]
) -> PackLine:
    place = f"{country} {rule.name}"
    if not rule.name.startswith(f"{country.lower()}-"):
        raise _wrong(place, f"its name must begin with {country.lower()}-")
    confidence = _text(place, table, "confidence")
    if confidence not in set(Confidence):
        raise _wrong(place, f"confidence is one of {', '.join(Confidence)}")
    return PackLine(
        rule=rule,
        country=country,
        regions=regions,
        source=_text(place, table, "source"),
        as_of=_date(place, table),
        confidence=Confidence(confidence),
        note=_text(place, table, "note", needed=False),
    )


def _tables(country: str, values: Mapping[str, object], key: str) -> list[dict[str, object]]:
    found = values.get(key, [])
    if not isinstance(found, list) or not all(isinstance(table, dict) for table in found):
        raise _wrong(country, f"{key} must be tables")
    return found


def _regions(country: str, table: Mapping[str, object]) -> tuple[str, ...]:
    found = table.get("regions", [])
    codes = [str(code) for code in found] if isinstance(found, list) else [str(found)]
    for code in codes:
        if not code.startswith(f"{country}-") or not len(country) + 1 < len(code) <= _LONGEST_REGION:
            raise _wrong(country, f"{code!r} is no ISO 3166-2 region of it")
    return tuple(codes)


def _text(place: str, table: Mapping[str, object], key: str, *, needed: bool = True) -> str:
    value = table.get(key, "")
    if not isinstance(value, str) or (needed and not value.strip()):
        raise _wrong(place, f"{key} must be said")
    return value


def _date(place: str, table: Mapping[str, object]) -> date:
    value = table.get("as_of")
    try:
        return value if isinstance(value, date) else date.fromisoformat(str(value))
    except ValueError as error:
        raise _wrong(place, "as_of must be a date such as 2026-11-22") from error


def _wrong(place: str, problem: str) -> ConfigurationError:
    return ConfigurationError(f"country pack {place}: {problem}")
