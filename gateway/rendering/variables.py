"""What a template takes: the types of its variables, and whether a caller's data fits them.

Messages of problems say what is wrong and what would be right; pointers lie under `/data`.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final, Protocol
from urllib.parse import urlsplit

from babel.numbers import list_currencies

from gateway.domain.messages import MASK
from gateway.domain.recipients import JsonValue
from gateway.errors import FieldProblem

MAX_STRING: Final = 10_000
MAX_ITEMS: Final = 1_000
MAX_URL: Final = 2_048
MAX_DEPTH: Final = 16
_MAX_SAFE_INTEGER: Final = 2**53 - 1  # RFC 8259 §6: what every JSON reader agrees on

_AMOUNT: Final = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d{1,9})?", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATETIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_URL: Final = re.compile(r"https?://[^\s\x00-\x20\"<>\\^`{|}\x7f-\xa0]+", re.IGNORECASE)


class VariableType(StrEnum):
    """What a variable may hold."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    MONEY = "money"
    URL = "url"
    LIST = "list"
    OBJECT = "object"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One value that a template takes, or one field of an object, or the items of a list."""

    type: VariableType
    optional: bool = False
    max_length: int | None = None
    """Characters of a string or URL, items of a list."""
    secret: bool = False
    """Shown as •••• in all that is kept; its text is dropped once sent."""
    items: "Variable | None" = None
    """What each item of a list is; None for items of any kind."""
    fields: Mapping[str, "Variable"] | None = None
    """The fields of an object; None for an object of any shape."""


class Declares(Protocol):
    """A template, as far as its data is concerned."""

    @property
    def variables(self) -> Mapping[str, Variable]:
        """What it takes, by name."""

    @property
    def counts(self) -> frozenset[tuple[str, ...]]:
        """Paths of the values that choose a plural form; `*` stands for every item of a list."""


Found = tuple[str, str]
"""The code and the message of a problem, its pointer still unknown."""


@lru_cache(maxsize=1)
def _currencies() -> frozenset[str]:
    return frozenset(list_currencies())


def _check_string(value: JsonValue, variable: Variable) -> Found | None:
    if not isinstance(value, str):
        return "wrong_type", "must be a string"
    limit = variable.max_length or MAX_STRING
    if len(value) > limit:
        return "too_long", f"must have at most {limit} characters"
    if _CONTROL.search(value):
        return "invalid_text", "must hold no control characters and no halves of surrogate pairs"
    return None


def _check_integer(value: JsonValue, _: Variable) -> Found | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return "wrong_type", "must be an integer, written without fraction or quotes"
    return None if abs(value) <= _MAX_SAFE_INTEGER else ("out_of_range", "must lie within ±(2^53 - 1)")


def _check_number(value: JsonValue, variable: Variable) -> Found | None:
    if isinstance(value, float):
        return None if math.isfinite(value) and abs(value) < 1e18 else ("out_of_range", "must be below 10^18")
    if isinstance(value, str):
        return None if _AMOUNT.fullmatch(value) else ("wrong_type", 'must be a number or a decimal string like "12.5"')
    return _check_integer(value, variable)


def _check_boolean(value: JsonValue, _: Variable) -> Found | None:
    return None if isinstance(value, bool) else ("wrong_type", "must be true or false")


def _check_date(value: JsonValue, _: Variable) -> Found | None:
    problem = "wrong_type", 'must be a date like "2026-12-01"'
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return problem
    try:
        date.fromisoformat(value)
    except ValueError:
        return "wrong_date", "must be a day that exists"
    return None


def _check_datetime(value: JsonValue, _: Variable) -> Found | None:
    if not isinstance(value, str) or not _DATETIME.fullmatch(value):
        return "wrong_type", 'must be an instant like "2026-12-01T09:30:00Z" (RFC 3339, with its offset)'
    try:
        datetime.fromisoformat(value.upper())
    except ValueError:
        return "wrong_date", "must be an instant that exists"
    return None


_MONEY: Final = frozenset({"amount", "currency"})


def _check_money(value: JsonValue, _: Variable) -> Found | None:
    if not isinstance(value, dict) or value.keys() != _MONEY:
        return "wrong_type", 'must be {"amount": "129.90", "currency": "CAD"}'
    amount, currency = value["amount"], value["currency"]
    if not isinstance(amount, str) or not _AMOUNT.fullmatch(amount):
        return "wrong_amount", 'amount must be a decimal string like "129.90", never a float'
    if not isinstance(currency, str) or currency not in _currencies():
        return "unknown_currency", "currency must be an ISO 4217 code such as EUR"
    return None


def is_web_url(value: str) -> bool:
    """Whether it is an absolute http or https address with a host, without blanks or characters that need escaping."""
    if not _URL.fullmatch(value):
        return False
    try:
        parts = urlsplit(value)
        _ = parts.port  # a port that is no number raises
    except ValueError:
        return False
    return bool(parts.hostname)


def _check_url(value: JsonValue, variable: Variable) -> Found | None:
    limit = variable.max_length or MAX_URL
    if not isinstance(value, str):
        return "wrong_type", "must be a string"
    if len(value) > limit:
        return "too_long", f"must have at most {limit} characters"
    if not is_web_url(value):
        return "wrong_url", "must be an absolute http or https address, with blanks and quotes percent-encoded"
    return None


_SCALARS: Final[Mapping[VariableType, Callable[[JsonValue, Variable], Found | None]]] = {
    VariableType.STRING: _check_string,
    VariableType.INTEGER: _check_integer,
    VariableType.NUMBER: _check_number,
    VariableType.BOOLEAN: _check_boolean,
    VariableType.DATE: _check_date,
    VariableType.DATETIME: _check_datetime,
    VariableType.MONEY: _check_money,
    VariableType.URL: _check_url,
}


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _check_fields(
    value: Mapping[str, JsonValue], fields: Mapping[str, Variable], pointer: str, problems: list[FieldProblem]
) -> None:
    for name, variable in fields.items():
        field = value.get(name)
        if field is not None:
            check = _SCALARS.get(variable.type)
            if check is None:
                _check_container(field, variable, f"{pointer}/{_escaped(name)}", problems)
            elif found := check(field, variable):
                problems.append(_problem(f"{pointer}/{_escaped(name)}", found))
        elif not variable.optional:
            wanted = f"is missing: the template needs it as {variable.type.value}"
            problems.append(_problem(f"{pointer}/{_escaped(name)}", ("missing", wanted)))
    if value.keys() <= fields.keys():
        return
    known = ", ".join(sorted(fields)) or "none"
    taken = f"is not a variable of the template; it takes: {known}"
    for name in value:
        if name not in fields:
            problems.append(_problem(f"{pointer}/{_escaped(name[:100])}", ("unknown_variable", taken)))


def _check_free(value: JsonValue, pointer: str, problems: list[FieldProblem], depth: int = 1) -> None:
    """Check what is declared without a shape: sizes, texts and numbers that every reader can hold."""
    found: Found | None = None
    match value:
        case str():
            found = _check_string(value, _FREE)
        case bool() | None:
            pass
        case int() | float():
            found = _check_number(value, _FREE)
        case list() | dict() if depth > MAX_DEPTH:
            found = "too_deep", f"must nest at most {MAX_DEPTH} levels"
        case list() | dict() if len(value) > MAX_ITEMS:
            found = "too_long", f"must have at most {MAX_ITEMS} items"
        case list():
            for index, item in enumerate(value):
                _check_free(item, f"{pointer}/{index}", problems, depth + 1)
        case dict():
            for name, item in value.items():
                _check_free(item, f"{pointer}/{_escaped(name)}", problems, depth + 1)
    if found:
        problems.append(_problem(pointer, found))


_FREE: Final = Variable(type=VariableType.STRING)


def _check(value: JsonValue, variable: Variable, pointer: str, problems: list[FieldProblem]) -> None:
    check = _SCALARS.get(variable.type)
    if check is None:
        _check_container(value, variable, pointer, problems)
    elif found := check(value, variable):
        problems.append(_problem(pointer, found))


def _check_container(value: JsonValue, variable: Variable, pointer: str, problems: list[FieldProblem]) -> None:
    found: Found | None = None
    if variable.type is VariableType.OBJECT:
        if not isinstance(value, dict):
            found = "wrong_type", "must be an object"
        elif variable.fields is None:
            _check_free(value, pointer, problems)
        else:
            _check_fields(value, variable.fields, pointer, problems)
    elif not isinstance(value, list):
        found = "wrong_type", "must be a list"
    elif len(value) > (limit := variable.max_length or MAX_ITEMS):
        found = "too_long", f"must have at most {limit} items"
    else:
        for index, item in enumerate(value):
            if variable.items is None:
                _check_free(item, f"{pointer}/{index}", problems)
            else:
                _check(item, variable.items, f"{pointer}/{index}", problems)
    if found:
        problems.append(_problem(pointer, found))


def _problem(pointer: str, found: Found) -> FieldProblem:
    return FieldProblem(pointer=pointer, code=found[0], message=found[1])


def _reached(value: JsonValue, path: tuple[str, ...], pointer: str) -> Iterator[tuple[JsonValue, str]]:
    """The values that a path leads to; what is absent is not reached."""
    if not path:
        yield value, pointer
    elif path[0] == "*":
        for index, item in enumerate(value if isinstance(value, list) else ()):
            yield from _reached(item, path[1:], f"{pointer}/{index}")
    elif isinstance(value, dict) and value.get(path[0]) is not None:
        yield from _reached(value[path[0]], path[1:], f"{pointer}/{_escaped(path[0])}")


def check_data(template: Declares, data: Mapping[str, JsonValue]) -> list[FieldProblem]:
    """Every reason why the template cannot be rendered with this data; empty when it can.

    The same for all locales: a variable is asked for even where the text at hand does not show it.
    """
    problems: list[FieldProblem] = []
    _check_fields(data, template.variables, "/data", problems)
    if template.counts:
        _check_counts(template, data, problems)
    return problems


def _check_counts(template: Declares, data: Mapping[str, JsonValue], problems: list[FieldProblem]) -> None:
    """What chooses a plural form must be an integer, whatever its declaration would let through."""
    wrong = {problem.pointer for problem in problems}
    for path in sorted(template.counts):
        for value, pointer in _reached(dict(data), path, "/data"):
            if pointer not in wrong and (isinstance(value, bool) or not isinstance(value, int)):
                problems.append(_problem(pointer, ("not_an_integer", "must be an integer: it chooses a plural form")))
                wrong.add(pointer)


def split_secrets(
    template: Declares, data: Mapping[str, JsonValue]
) -> tuple[Mapping[str, JsonValue], Mapping[str, JsonValue]]:
    """The data as it may be shown, each secret value as ••••, and the secret values themselves."""
    secrets = {name: data[name] for name, variable in template.variables.items() if variable.secret and name in data}
    return {**data, **dict.fromkeys(secrets, MASK)} if secrets else data, secrets
