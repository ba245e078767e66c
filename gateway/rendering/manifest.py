"""`template.toml`: what a template is for and what it takes, read strictly.

Every complaint names the key and says how to mend it; an unknown key is a mistake, not a wish.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, TypeVar

from gateway.domain.lifecycle import Strategy
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel, JsonValue
from gateway.errors import TemplateBroken
from gateway.rendering.variables import Variable, VariableType

FILE: Final = "template.toml"
RESERVED: Final = frozenset(
    {"recipient", "locale", "unsubscribe_url", "preferences_url", "postal_address", "subject", "preheader", "loop", "_"}
    | {"gettext", "ngettext", "pgettext", "npgettext", "true", "false", "none", "self", "super"}
)
"""Names that mean something in every template, so no variable can have them."""

MAX_SOURCE: Final = 100_000
"""Bytes of the file."""
_DEEP_KEY: Final = re.compile(r"""(?:\.[ \t]*(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')[ \t]*){16}""")
"""A dotted key of more levels than anything here has: tomllib takes memory with the square of them."""
_DURATION: Final = re.compile(r"([1-9]\d{0,5})(s|m|h|d)", re.ASCII)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_SAMPLE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}", re.ASCII)
_TOPIC: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class PushSettings:
    """The `[push]` table; `action`, `image` and `collapse_key` are template text."""

    action: str | None = None
    image: str | None = None
    collapse_key: str | None = None
    badge: int | None = None
    ttl: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """All that `template.toml` says."""

    description: str
    category: Category
    topic: str | None
    channels: tuple[Channel, ...]
    strategy: Strategy
    fallback_after: timedelta | None
    expires_after: timedelta | None
    variables: Mapping[str, Variable]
    samples: Mapping[str, Mapping[str, JsonValue]]
    sms_max_segments: int | None
    sms_substitute: bool
    push: PushSettings


def _broken(key: str, message: str) -> TemplateBroken:
    return TemplateBroken(f"{FILE}: {key}: {message}", part=FILE)


class _Table:
    """One TOML table, read key by key; what nobody asked for is a mistake."""

    def __init__(self, values: object, path: str) -> None:
        if not isinstance(values, dict):
            raise _broken(path or "file", "must be a table")
        self._values: dict[str, Any] = values
        self._path = path
        self._known: list[str] = []

    def key(self, name: str) -> str:
        """The name as one finds it in the file."""
        return f"{self._path}.{name}" if self._path else name

    def take(self, name: str, expected: type[T], words: str) -> T | None:
        """The value of a key, or None when it is left out."""
        self._known.append(name)
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
            raise _broken(self.key(name), f"must be {words}")
        return value

    def need(self, name: str, expected: type[T], words: str) -> T:
        """The value of a key that must be there."""
        value = self.take(name, expected, words)
        if value is None:
            raise _broken(self.key(name), f"is missing: it must be {words}")
        return value

    def word(self, name: str, vocabulary: type[E], default: E | None = None) -> E:
        """One word of a vocabulary."""
        words = "one of " + ", ".join(repr(str(member)) for member in vocabulary)
        value = self.need(name, str, words) if default is None else self.take(name, str, words)
        if value is None and default is not None:
            return default
        try:
            return vocabulary(str(value))
        except ValueError:
            raise _broken(self.key(name), f"is {value!r}; it must be {words}") from None

    def duration(self, name: str) -> timedelta | None:
        """A length of time such as `45s`, `5m`, `2h` or `3d`."""
        words = "a length of time such as '45s', '5m', '2h' or '3d'"
        value = self.take(name, str, words)
        if value is None:
            return None
        found = _DURATION.fullmatch(value)
        if not found:
            raise _broken(self.key(name), f"is {value!r}; it must be {words}")
        return timedelta(**{_UNITS[found[2]]: int(found[1])})

    def positive(self, name: str, least: int = 1) -> int | None:
        """An integer of at least `least`."""
        value = self.take(name, int, f"an integer of at least {least}")
        if value is not None and value < least:
            raise _broken(self.key(name), f"is {value}; it must be at least {least}")
        return value

    def table(self, name: str) -> "_Table":
        """A table below this one; empty when left out."""
        return _Table(self.take(name, dict, "a table") or {}, self.key(name))

    def items(self) -> list[tuple[str, Any]]:
        """Everything in it, for tables whose keys are names."""
        return list(self._values.items())

    def finish(self) -> None:
        """Complain about the first key that nobody asked for."""
        for name in self._values:
            if name not in self._known:
                raise _broken(self.key(name), f"is unknown; known here are: {', '.join(sorted(self._known))}")


def _channels(table: _Table) -> tuple[Channel, ...]:
    values = table.need("channels", list, "a list of channels such as ['email', 'sms']")
    known = [str(channel) for channel in Channel]
    if not values or any(value not in known for value in values) or len(set(values)) != len(values):
        raise _broken("channels", f"must name each of its channels once, out of: {', '.join(known)}")
    return tuple(Channel(value) for value in values)


def _field(path: str, value: object) -> Variable:
    """A field of an object or list item: a bare type name, or a table as for a variable."""
    return _variable(path, {"type": value} if isinstance(value, str) else value)


def _fields(path: str, values: object) -> Mapping[str, Variable]:
    fields = {}
    for name, value in _Table(values, path).items():
        if not _NAME.fullmatch(name):
            raise _broken(f"{path}.{name}", "a field's name has lower-case letters, digits and _")
        fields[name] = _field(f"{path}.{name}", value)
    return fields


def _variable(path: str, values: object) -> Variable:
    table = _Table(values, path)
    kind = table.word("type", VariableType)
    optional = table.take("optional", bool, "true or false") or False
    secret = table.take("secret", bool, "true or false") or False
    max_length = table.positive("max_length")
    of = table.take("of", object, "")
    table.finish()
    if secret and kind not in (VariableType.STRING, VariableType.URL):
        raise _broken(f"{path}.secret", "only a string or a url can be secret: •••• must be able to stand for it")
    if max_length and kind not in (VariableType.STRING, VariableType.URL, VariableType.LIST):
        raise _broken(f"{path}.max_length", "only strings, urls and lists have a length")
    if of is not None and kind not in (VariableType.LIST, VariableType.OBJECT):
        raise _broken(f"{path}.of", "only lists and objects have `of`")
    items: Variable | None = None
    fields: Mapping[str, Variable] | None = None
    if kind is VariableType.OBJECT and of is not None:
        fields = _fields(f"{path}.of", of)
    elif isinstance(of, str):
        items = _field(f"{path}.of", of)
    elif of is not None:
        items = Variable(type=VariableType.OBJECT, fields=_fields(f"{path}.of", of))
    return Variable(type=kind, optional=optional, max_length=max_length, secret=secret, items=items, fields=fields)


def _variables(table: _Table) -> Mapping[str, Variable]:
    variables = {}
    for name, value in table.items():
        path = table.key(name)
        if not _NAME.fullmatch(name):
            raise _broken(path, "a variable's name has lower-case letters, digits and _, and begins with a letter")
        if name in RESERVED:
            raise _broken(path, "this name means something in every template; choose another")
        variables[name] = _variable(path, value)
    return variables


def _samples(table: _Table, variables: Mapping[str, Variable]) -> Mapping[str, Mapping[str, JsonValue]]:
    samples: dict[str, Mapping[str, JsonValue]] = {}
    for name, value in table.items():
        if not _SAMPLE.fullmatch(name):
            raise _broken(table.key(name), "a sample's name has lower-case letters, digits and -")
        if not isinstance(value, dict):
            raise _broken(table.key(name), "must be a table with a value for each variable")
        samples[name] = value
    if not samples and not all(variable.optional for variable in variables.values()):
        raise _broken("samples", "at least one set of sample data is needed, such as [samples.usual]")
    return samples


def _push(table: _Table) -> PushSettings:
    settings = PushSettings(
        action=table.take("action", str, "text such as '{{ tracking_url }}'"),
        image=table.take("image", str, "text such as 'https://…' or '{{ image_url }}'"),
        collapse_key=table.take("collapse_key", str, "text such as 'order-{{ order }}'"),
        badge=table.positive("badge", least=0),
        ttl=table.duration("ttl"),
    )
    table.finish()
    return settings


def _parsed(source: bytes) -> dict[str, Any]:
    parse: Callable[[str], dict[str, Any]] = tomllib.loads
    if len(source) > MAX_SOURCE:
        raise TemplateBroken(f"{FILE}: is larger than {MAX_SOURCE} bytes", part=FILE)
    try:
        text = source.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TemplateBroken(f"{FILE}: is not UTF-8", part=FILE) from error
    if found := _DEEP_KEY.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise TemplateBroken(f"{FILE}: a key nests too deeply (at line {line})", part=FILE, line=line)
    try:
        return parse(text)
    except (ValueError, RecursionError) as error:
        # TOMLDecodeError is a ValueError, and so is what CPython says of an integer of more than 4,300 digits.
        found = re.search(r"line (\d+)", str(error))
        raise TemplateBroken(f"{FILE}: {error}", part=FILE, line=int(found[1]) if found else 0) from error


def read_manifest(source: bytes) -> Manifest:
    """The settings of one template. Raises TemplateBroken with file, key and what would be right."""
    top = _Table(_parsed(source), "")
    description = top.need("description", str, "a sentence that says what the message is for")
    category = top.word("category", Category)
    topic = top.take("topic", str, "a topic such as 'orders'")
    if topic is not None and not _TOPIC.fullmatch(topic):
        raise _broken("topic", "must have lower-case letters, digits, - and _")
    if topic is None and category.needs_consent:
        raise _broken("topic", "is missing: marketing must name what people subscribe to, such as 'offers'")
    variables = _variables(top.table("variables"))
    sms = top.table("sms")
    manifest = Manifest(
        description=description,
        category=category,
        topic=topic,
        channels=_channels(top),
        strategy=top.word("strategy", Strategy, Strategy.FIRST),
        fallback_after=top.duration("fallback_after"),
        expires_after=top.duration("expires_after"),
        variables=variables,
        samples=_samples(top.table("samples"), variables),
        sms_max_segments=sms.positive("max_segments"),
        sms_substitute=sms.take("substitute", bool, "true or false") or False,
        push=_push(top.table("push")),
    )
    sms.finish()
    top.finish()
    return manifest
