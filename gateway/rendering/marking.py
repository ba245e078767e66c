"""Where strings are marked in a tree: `{% trans %}` and the gettext functions, read alike."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from jinja2 import nodes

from gateway.errors import TemplateBroken
from gateway.rendering.strings import Marked, Unusable, names, split
from gateway.rendering.syntax import GETTEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One marked string at its place."""

    marked: Marked
    values: Mapping[str, nodes.Expr]
    """What its names stand for here."""
    count: nodes.Expr | None
    """What chooses the plural form."""


def read_mark(call: nodes.Call, *, html: bool) -> Mark:
    """What a call to a gettext function marks; `num` stands for the count unless it is bound."""
    assert isinstance(call.node, nodes.Name)
    contexts, total = GETTEXT[call.node.name]
    arguments = list(call.args)
    context = _text(arguments.pop(0)) if contexts else None
    count = arguments.pop() if total - contexts == 3 else None
    singular = _text(arguments[0])
    plural = _text(arguments[1]) if count is not None else None
    values = {keyword.key: keyword.value for keyword in call.kwargs}
    if count is not None:
        values.setdefault("num", count)
    marked = Marked(context=context, singular=singular, plural=plural, names=frozenset(values), html=html)
    return Mark(marked=marked, values=values, count=count)


def _text(node: nodes.Expr) -> str:
    assert isinstance(node, nodes.Const)
    return str(node.value)


def find_marks(body: Sequence[nodes.Node], *, html: bool) -> Iterator[tuple[nodes.Call, Mark]]:
    """Every marked string of a flat tree, in order."""
    for node in body:
        for call in node.find_all(nodes.Call):
            yield call, read_mark(call, html=html)


def check_sources(body: Sequence[nodes.Node], path: str, *, html: bool) -> tuple[Marked, ...]:
    """The distinct strings of a part, each of them able to stand for itself. Raises TemplateBroken."""
    found: dict[tuple[object, ...], Marked] = {}
    for call, mark in find_marks(body, html=html):
        for text in (mark.marked.singular, mark.marked.plural):
            if text is None:
                continue
            try:
                unknown = names(split(text)).keys() - mark.values.keys()
            except Unusable as error:
                message = f"{path}:{call.lineno}: the string {text!r} {error}"
                raise TemplateBroken(message, part=path, line=call.lineno) from error
            if unknown:
                message = f"{path}:{call.lineno}: the string {text!r} names {min(unknown)}, which is not bound there"
                raise TemplateBroken(message, part=path, line=call.lineno)
        found.setdefault((*mark.marked.key, mark.marked.names), mark.marked)
    return tuple(found.values())
