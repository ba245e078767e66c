"""The Jinja2 environments: sandboxed, strict, without globals, and with filters that know the message they render for.

There are two, one that escapes (HTML) and one that does not (everything else); neither is ever changed after it is
made, so nothing of one message or language can leak into another. What belongs to one render travels in its context.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from jinja2 import StrictUndefined, Undefined, nodes, pass_context
from jinja2.compiler import CodeGenerator
from jinja2.ext import InternationalizationExtension
from jinja2.nodes import EvalContext
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing
from markupsafe import Markup, escape

from gateway.errors import RenderFailed
from gateway.localization.formats import Formats
from gateway.rendering import bidi
from gateway.rendering.budget import Budget

LOOP_FIELDS: Final = frozenset({"index", "index0", "revindex", "revindex0", "first", "last", "length"})

# Names of the filters that the compiler puts in; no template can write them, a name has no space.
SHOW: Final = "show value"
SHOW_HTML: Final = "show value in html"
ISOLATE: Final = "isolate value"
ISOLATE_HTML: Final = "isolate value in html"
LOOP: Final = "loop over"
COMPARE: Final = "compare value"
FORM: Final = "plural form"
_SPECIAL: Final = re.compile("[&<>'\"]")
"""What HTML gives a meaning of its own, in text or in an attribute."""
_FINISHED: Final = frozenset({SHOW, SHOW_HTML, ISOLATE, ISOLATE_HTML})
"""What comes out of these is a text as its place demands it."""


class Plurals(Protocol):
    """The plural strings of one compiled part."""

    def form(self, number: int, count: int) -> int:
        """Which form of string `number` a count takes."""


class MessageFormats:
    """The formats of one message."""

    __slots__ = ("_formats", "written")

    def __init__(self, formats: Formats) -> None:
        self._formats = formats
        self.written = formats.written
        """What was formatted already, for this message and others: most values are shown in more than one part."""

    def write(self, name: str, value: object, arguments: tuple[str, ...]) -> str:
        """Format a value by a filter's name. Raises ValueError (BadValue) or UndefinedError."""
        if isinstance(value, Undefined):
            str(value)  # raises, with the variable's name
        formatted: str = getattr(self._formats, name)(value, *arguments)
        return formatted


class Values(dict[str, Any]):
    """What a message's parts show, by name; Jinja's own mark for a name that nothing was given for."""

    def __missing__(self, name: str) -> object:
        return missing


class RenderContext(Context):
    """One part on its way: its variables, and what else this one render needs.

    Flat templates have neither blocks nor globals nor exports, so nothing of what Jinja's own constructor prepares
    for those is made here.
    """

    def __init__(self, part: "PartFrame", values: Values, formats: MessageFormats) -> None:
        self.environment = part.environment
        self.eval_ctx = part.evaluation
        self.name = part.path
        self.parent = values
        self.vars = {}
        self.exported_vars = set()
        self.resolve_or_missing = values.__getitem__  # type: ignore[assignment]  # asked once for every name
        self.formats = formats
        self.budget = Budget()
        self.plurals = part.plurals


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFrame:
    """What all renders of one compiled part share."""

    environment: "Sandbox"
    evaluation: EvalContext
    path: str
    plurals: Plurals


class _Writer(CodeGenerator):
    """Jinja's code, but for values that come fit for their place: those are neither escaped nor made texts again."""

    def _output_child_pre(self, node: nodes.Expr, frame: Any, finalize: Any) -> None:
        if isinstance(node, nodes.Filter) and node.name in _FINISHED:
            self.write("(")
        elif frame.eval_ctx.autoescape:
            self.write("environment.quote(")
        else:
            super()._output_child_pre(node, frame, finalize)


class Sandbox(ImmutableSandboxedEnvironment):
    """Attributes and items are the keys of JSON objects, and nothing else is."""

    code_generator_class = _Writer

    @staticmethod
    def quote(value: object) -> str:
        """A value as it may stand in HTML: `escape` without its work where nothing in a text calls for it."""
        if type(value) is str and not _SPECIAL.search(value):
            return value
        return escape(value)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A key of an object, or one of the plain facts of a loop."""
        if type(obj) is dict:
            value = obj.get(attribute)
            return self.undefined(obj=obj, name=attribute) if value is None else value
        if type(obj) is LoopContext and attribute in LOOP_FIELDS:
            return getattr(obj, attribute)
        return self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """The same, in the spelling with brackets."""
        return self.getattr(obj, argument) if isinstance(argument, str) else self.undefined(obj=obj, name=argument)

    def is_safe_callable(self, obj: Any) -> bool:  # noqa: ARG002
        """Nothing can be called from a template."""
        return False


def _text(value: object) -> str:
    """A value as it may stand in a message: never a Python spelling of something that has no text."""
    kind = type(value)
    if kind is str:
        return value  # type: ignore[return-value]  # exactly str, as `kind` says
    if kind is Markup:
        return str(value)
    if kind is int or kind is float:
        return repr(value)
    if isinstance(value, Undefined):
        return str(value)  # raises, with the variable's name
    words = {bool: "true or false", dict: "an object", list: "a list"}.get(kind, "no value")
    raise RenderFailed(f"{words} has no text of its own; format it, or choose with {{% if %}}")


def _show(value: object) -> str | Markup:
    if type(value) is str and value.isascii():
        return value
    if type(value) is Markup:
        return value
    return bidi.strip_controls(_text(value))


def _show_html(value: object) -> str:
    return value if type(value) is Markup else Sandbox.quote(bidi.strip_controls(_text(value)))


def _isolate(value: object) -> str:
    return bidi.isolate(bidi.strip_controls(_text(value)))


def _isolate_html(value: object) -> Markup:
    shown = _show(value)
    return Markup(f"<bdi>{escape(shown)}</bdi>") if shown else Markup("")  # noqa: S704  # escaped here


@pass_context
def _loop(context: RenderContext, value: object, steps: int) -> list[Any]:
    if isinstance(value, Undefined):
        iter(value)  # raises, with the variable's name
    if not isinstance(value, list):
        raise RenderFailed("only a list can be looped over")
    context.budget.spend(len(value) * steps)
    return value


@pass_context
def _compare(context: RenderContext, value: object) -> object:
    if isinstance(value, dict):
        raise RenderFailed("an object cannot be compared")
    context.budget.spend(len(value) if isinstance(value, str | list) else 0)
    return value


@pass_context
def _form(context: RenderContext, count: object, number: int) -> int:
    if type(count) is not int:
        raise RenderFailed("a plural takes an integer")
    return context.plurals.form(number, count)


def _formatting(name: str) -> Callable[..., str]:
    @pass_context
    def apply(context: RenderContext, value: Any, *arguments: str) -> str:
        formats = context.formats
        kind = type(value)
        if kind is not str and kind is not int and kind is not float:
            return formats.write(name, value, arguments)
        key = (name, kind, value, arguments)
        return formats.written.get(key) or formats.written.keep(key, formats.write(name, value, arguments))

    return apply


@pass_context
def _money(context: RenderContext, value: Any) -> str:
    formats = context.formats
    if type(value) is not dict:
        return formats.write("money", value, ())
    amount, currency = value.get("amount"), value.get("currency")
    if type(amount) is not str or type(currency) is not str:
        return formats.write("money", value, ())
    key = (amount, currency)
    return formats.written.get(key) or formats.written.keep(key, formats.write("money", value, ()))


@pass_context
def _relative(context: RenderContext, value: Any) -> str:
    """Never remembered: it counts from the instant of this render."""
    return context.formats.write("relative", value, ())


def _length(value: object) -> int:
    if isinstance(value, Undefined):
        len(value)  # raises, with the variable's name
    if not isinstance(value, str | list | dict):
        raise RenderFailed("only texts, lists and objects have a length")
    return len(value)


def _rewriting(rewrite: Callable[[str], str]) -> Callable[..., str]:
    @pass_context
    def apply(context: RenderContext, value: object) -> str:
        text = _text(value)
        context.budget.spend(len(text))
        return rewrite(text)

    return apply


@pass_context
def _force_escape(context: RenderContext, value: object) -> Markup:
    text = _text(value)
    context.budget.spend(len(text))
    return escape(text)


@pass_context
def _escape(context: RenderContext, value: object) -> str | Markup:
    return value if type(value) is Markup else _force_escape(context, value)


@pass_context
def _join(context: RenderContext, value: object, separator: str = "") -> str:
    if isinstance(value, Undefined):
        iter(value)  # raises, with the variable's name
    if not isinstance(value, list):
        raise RenderFailed("only a list can be joined")
    texts = [_text(item) for item in value]
    context.budget.spend(sum(map(len, texts)) + len(separator) * len(texts))
    return separator.join(texts)


def _end(index: int) -> Callable[..., object]:
    @pass_context
    def apply(context: RenderContext, value: object) -> object:
        if isinstance(value, Undefined):
            iter(value)  # raises, with the variable's name
        if not isinstance(value, list | str) or not value:
            return context.environment.undefined("the first or last of an empty value")
        return value[index]

    return apply


def _default(value: object, default: object = "") -> object:
    return default if value is None or isinstance(value, Undefined) else value


FORMATTING: Final = frozenset(
    {"number", "percent", "money", "date", "time", "datetime", "relative", "duration", "list", "unit", "phone"}
)
SAFE_FORMATTING: Final = FORMATTING - {"list", "phone"}
"""Formats whose result holds nothing of the caller's own text."""

_FILTERS: Final[Mapping[str, Callable[..., object]]] = {
    **{name: _formatting(name) for name in FORMATTING},
    "money": _money,
    "relative": _relative,
    "length": _length,
    "upper": _rewriting(str.upper),
    "lower": _rewriting(str.lower),
    "trim": _rewriting(str.strip),
    "e": _escape,
    "escape": _escape,
    "forceescape": _force_escape,
    "join": _join,
    "first": _end(0),
    "last": _end(-1),
    "default": _default,
    SHOW: _show,
    SHOW_HTML: _show_html,
    ISOLATE: _isolate,
    ISOLATE_HTML: _isolate_html,
    LOOP: _loop,
    COMPARE: _compare,
    FORM: _form,
}


class _Translating(InternationalizationExtension):
    """`{% trans %}` whose trimming takes linear time; Jinja's expression tries each run of blanks from each of them."""

    def _trim_whitespace(self, string: str, _ws_re: object = None) -> str:
        lines = (line.strip() for line in string.strip().split("\n"))
        return " ".join(line for line in lines if line)


def make_environment(*, escapes: bool) -> Sandbox:
    """An environment with our filters and no others; `escapes` for HTML and only for HTML."""
    environment = Sandbox(autoescape=escapes, undefined=StrictUndefined, extensions=[_Translating], cache_size=0)
    environment.policies["ext.i18n.trimmed"] = True
    environment.newstyle_gettext = True  # type: ignore[attr-defined]  # the extension's own switch
    environment.globals.clear()
    environment.filters.clear()
    environment.filters.update(_FILTERS)
    tests = {name: environment.tests[name] for name in ("defined", "undefined", "none")}
    environment.tests.clear()
    environment.tests.update(tests)
    return environment
