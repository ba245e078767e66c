"""A flat tree in one language: every marked string in place, every value shown as its place demands.

The catalog is folded in here, once for each (template version, catalog version), so rendering never looks a string up.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Literal

from babel import Locale
from jinja2 import nodes

from gateway.errors import ContentError, TemplateBroken
from gateway.localization.catalogs import Catalog
from gateway.localization.locales import direction, to_tag
from gateway.localization.plurals import form_of
from gateway.localization.snapshots import PluralText
from gateway.rendering.budget import FORMAT_WORK
from gateway.rendering.environment import (
    COMPARE,
    FORM,
    FORMATTING,
    ISOLATE,
    ISOLATE_HTML,
    LOOP,
    SAFE_FORMATTING,
    SHOW,
    SHOW_HTML,
)
from gateway.rendering.html import Cursor, Where
from gateway.rendering.marking import Mark, read_mark
from gateway.rendering.strings import Marked, Piece, Place, Unusable, check

Chooser = Callable[[int], int]
"""Count → which of the forms."""

_WHOLE_TEXTS: Final = frozenset({"subject", "preheader"})
"""Names in an HTML body that hold rendered parts: they have their isolates already."""


class Missing(ContentError):
    """The language lacks a string, or what it has cannot be used."""

    code = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """What a part is put into: a catalog, and the locale that it is shown in."""

    catalog: Catalog
    locale: Locale
    tag: str = field(init=False)
    """Its BCP 47 tag, as `locale.tag` says it."""
    direction: Literal["ltr", "rtl"] = field(init=False)
    """How it is written, as `locale.direction` says it."""

    def __post_init__(self) -> None:
        # Asked several times for each message, and costly to work out.
        object.__setattr__(self, "tag", to_tag(self.locale))
        object.__setattr__(self, "direction", direction(self.locale))


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """A string in one language: its forms, each in pieces, and which one a count takes."""

    forms: tuple[tuple[Piece, ...], ...]
    choose: Chooser


def translate(marked: Marked, language: Language) -> Translation:
    """The string in this language. Raises Missing when the catalog lacks it or holds what cannot be used."""
    try:
        if marked.plural is None:
            text = language.catalog.gettext(marked.context, marked.singular)
            if text is None:
                raise Missing(marked.singular)
            return Translation(forms=(check(marked.singular, text, marked),), choose=lambda _: 0)
        return _translate_plural(marked, marked.plural, language)
    except Unusable as error:
        raise Missing(f"{marked.singular} ({error})") from error


def _translate_plural(marked: Marked, plural: str, language: Language) -> Translation:
    found = language.catalog.texts.get((marked.context, marked.singular))
    if isinstance(found, PluralText) and found.msgid_plural == plural:
        rule = found.forms
        forms = tuple(check(plural, text, marked, every_name=False) for text in found.texts)
        return Translation(forms=forms, choose=lambda count: form_of(rule, count))
    if not language.catalog.is_source:
        raise Missing(marked.singular)
    category = language.locale.plural_form
    # The catalog is asked although its texts are the msgids: a pseudo-locale distorts them.
    shown = ((source, language.catalog.gettext(marked.context, source)) for source in (marked.singular, plural))
    forms = tuple(check(source, text or source, marked) for source, text in shown)
    return Translation(forms=forms, choose=lambda count: 0 if category(abs(count)) == "one" else 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Localized:
    """A tree in one language, and the choosers of its plural strings by number."""

    body: list[nodes.Node]
    choosers: tuple[Chooser, ...]


def localize(
    body: Sequence[nodes.Node], language: Language, path: str, *, html: bool, isolates: bool, urls: frozenset[int]
) -> Localized:
    """Fold the language in. Raises Missing for a string that it lacks, TemplateBroken for a misplaced value."""
    localizer = _Localizer(language, path, html=html, isolates=isolates, urls=urls)
    return Localized(body=localizer.body(body), choosers=tuple(localizer.choosers))


def _steps(body: Sequence[nodes.Node]) -> int:
    """What one round of a loop costs, without the loops inside it: they pay for themselves."""
    steps = 1
    for node in body:
        if isinstance(node, nodes.Filter) and node.name in FORMATTING:
            steps += FORMAT_WORK
        if not isinstance(node, nodes.For):
            steps += _steps(list(node.iter_child_nodes()))
    return steps


class _Localizer:
    """One part on its way into one language."""

    def __init__(self, language: Language, path: str, *, html: bool, isolates: bool, urls: frozenset[int]) -> None:
        self._language = language
        self._path = path
        self._html = html
        self._isolates = isolates and language.direction == "rtl"
        self._urls = urls
        self._cursor = Cursor()
        self.choosers: list[Chooser] = []

    def body(self, body: Sequence[nodes.Node]) -> list[nodes.Node]:
        localized: list[nodes.Node] = []
        for node in body:
            match node:
                case nodes.Output():
                    for child in node.nodes:
                        localized += self._child(child)
                case nodes.If():
                    localized += self._if(node)
                case nodes.For():
                    localized.append(self._for(node))
                case _:
                    assert isinstance(node, nodes.Assign)  # the allow-list and the layouts leave nothing else
                    localized.append(nodes.Assign(node.target, self._expression(node.node), lineno=node.lineno))
        return localized

    def _child(self, child: nodes.Expr) -> list[nodes.Node]:
        match child:
            case nodes.TemplateData(data=data):
                return [self._literal(data)]
            case nodes.Call():
                return self._mark(read_mark(child, html=self._html))
            case _:
                constant = self._constant(child)
                if constant is not None:
                    return [self._literal(constant)]
                return [nodes.Output([self._value(child)], lineno=child.lineno)]

    def _literal(self, text: str) -> nodes.Node:
        if self._html:
            self._cursor.feed(text, self._path)
        return nodes.Output([nodes.TemplateData(text)])

    def _value(self, value: nodes.Expr) -> nodes.Expr:
        """A value as its place demands: checked, without characters that reorder, isolated in right-to-left text."""
        if self._html:
            refusal = self._cursor.refusal(is_url=id(value) in self._urls)
            if refusal:
                message = f"{self._path}:{value.lineno}: {refusal}"
                raise TemplateBroken(message, part=self._path, line=value.lineno)
        shown = self._expression(value)
        way = self._way(value)
        self._cursor.tail = ""
        if way == SHOW and isinstance(shown, nodes.Filter) and shown.name in SAFE_FORMATTING:
            return shown
        return _filter(shown, SHOW_HTML if way == SHOW and self._html else way)

    def _way(self, value: nodes.Expr) -> str:
        if not self._isolates:
            return SHOW
        if not self._html:
            return ISOLATE
        bare = value.node if isinstance(value, nodes.Filter) and value.name == "default" else value
        if isinstance(bare, nodes.Name) and bare.name in _WHOLE_TEXTS:
            return SHOW
        in_text = self._cursor.where is Where.TEXT and self._cursor.tail != "bdi"
        return ISOLATE_HTML if in_text else SHOW

    def _mark(self, mark: Mark) -> list[nodes.Node]:
        translation = translate(mark.marked, self._language)
        if mark.count is None:
            return self._pieces(translation.forms[0], mark)
        number = self._number(translation)
        bodies = self._branches([partial(self._pieces, form, mark) for form in translation.forms])
        test = self._form_test
        elifs = [nodes.If(test(mark.count, number, form), body, [], []) for form, body in enumerate(bodies)]
        return [nodes.If(elifs[0].test, elifs[0].body, elifs[1:], [])]

    def _number(self, translation: Translation) -> int:
        self.choosers.append(translation.choose)
        return len(self.choosers) - 1

    def _form_test(self, count: nodes.Expr, number: int, form: int) -> nodes.Compare:
        chosen = _filter(self._expression(count), FORM, nodes.Const(number))
        return nodes.Compare(chosen, [nodes.Operand("eq", nodes.Const(form))])

    def _pieces(self, pieces: Sequence[Piece], mark: Mark) -> list[nodes.Node]:
        localized: list[nodes.Node] = []
        for piece in pieces:
            if isinstance(piece, Place):
                localized.append(nodes.Output([self._value(mark.values[piece.name])]))
            else:
                localized.append(self._literal(self._quoted(piece)))
        return localized

    def _quoted(self, text: str) -> str:
        """A string's own text: markup in element text, and in an attribute whatever its quotes would end."""
        if self._html and self._cursor.where in (Where.ATTRIBUTE, Where.TITLE):
            return text.replace('"', "&#34;").replace("'", "&#39;").replace("<", "&lt;").replace(">", "&gt;")
        return text

    def _branches(self, writers: Sequence[Callable[[], list[nodes.Node]]]) -> list[list[nodes.Node]]:
        """Localize alternatives, which must all end where HTML stands alike."""
        start = self._cursor.copy()
        bodies, ends = [], []
        for write in writers:
            self._cursor = start.copy()
            bodies.append(write())
            ends.append(self._cursor)
        if self._html and len({end.place() for end in ends}) > 1:
            message = "the branches of a condition, plural or loop must leave the same tags and quotes open"
            raise TemplateBroken(f"{self._path}: {message}", part=self._path)
        return bodies

    def _if(self, node: nodes.If) -> list[nodes.Node]:
        arms = [(self._expression(arm.test), arm.body) for arm in (node, *node.elif_)]
        kept: list[tuple[nodes.Expr, list[nodes.Node]]] = []
        otherwise = node.else_
        for test, body in arms:
            truth = _truth(test)
            if truth is False:
                continue
            if truth is True:
                otherwise = body
                break
            kept.append((test, body))
        if not kept:
            return self.body(otherwise)
        bodies = self._branches([partial(self.body, body) for body in (*(body for _, body in kept), otherwise)])
        elifs = [nodes.If(test, body, [], []) for (test, _), body in zip(kept, bodies[:-1], strict=True)]
        return [nodes.If(elifs[0].test, elifs[0].body, elifs[1:], bodies[-1], lineno=node.lineno)]

    def _for(self, node: nodes.For) -> nodes.For:
        over = _filter(self._expression(node.iter), LOOP, nodes.Const(_steps(node.body)))
        test = self._expression(node.test) if node.test is not None else None
        body, else_, _ = self._branches([partial(self.body, node.body), partial(self.body, node.else_), list])
        return nodes.For(node.target, over, body, else_, test, False, lineno=node.lineno)

    def _constant(self, node: nodes.Node) -> str | None:
        """What the language itself says: `locale.tag`, `locale.direction`."""
        match node:
            case nodes.Getattr(node=nodes.Name(name="locale"), attr=attribute):
                return self._said(node, attribute)
            case nodes.Getitem(node=nodes.Name(name="locale"), arg=nodes.Const(value=attribute)):
                return self._said(node, attribute)
            case _:
                return None

    def _said(self, node: nodes.Node, attribute: str) -> str:
        match attribute:
            case "tag":
                return self._language.tag
            case "direction":
                return self._language.direction
            case _:
                message = f"{self._path}:{node.lineno}: locale has tag and direction only"
                raise TemplateBroken(message, part=self._path, line=node.lineno)

    def _expression(self, node: nodes.Node) -> nodes.Expr:
        """The expression with its strings and the locale put in, and its comparisons under the budget."""
        constant = self._constant(node)
        if constant is not None:
            return nodes.Const(constant)
        match node:
            case nodes.Call():
                return self._string(read_mark(node, html=self._html))
            case nodes.Compare():
                operands = [nodes.Operand(operand.op, self._operand(operand.expr)) for operand in node.ops]
                return nodes.Compare(self._operand(node.expr), operands, lineno=node.lineno)
            case _:
                assert isinstance(node, nodes.Expr)
                return self._copy(node)

    def _operand(self, node: nodes.Expr) -> nodes.Expr:
        operand = self._expression(node)
        return operand if isinstance(operand, nodes.Const | nodes.List | nodes.Tuple) else _filter(operand, COMPARE)

    def _copy(self, node: nodes.Expr) -> nodes.Expr:
        fields: list[object] = []
        for _, value in node.iter_fields():
            if isinstance(value, nodes.Expr):
                fields.append(self._expression(value))
            elif isinstance(value, list):
                fields.append([self._expression(item) if isinstance(item, nodes.Expr) else item for item in value])
            else:
                fields.append(value)
        return type(node)(*fields, lineno=node.lineno)

    def _string(self, mark: Mark) -> nodes.Expr:
        """A marked string inside an expression: one string value."""
        translation = translate(mark.marked, self._language)
        forms = [self._joined(form, mark) for form in translation.forms]
        if mark.count is None:
            return forms[0]
        number = self._number(translation)
        chosen = forms[-1]
        for form in range(len(forms) - 2, -1, -1):
            chosen = nodes.CondExpr(self._form_test(mark.count, number, form), forms[form], chosen)
        return chosen

    def _joined(self, pieces: Sequence[Piece], mark: Mark) -> nodes.Expr:
        parts: list[nodes.Expr] = []
        for piece in pieces:
            if isinstance(piece, Place):
                shown = self._expression(mark.values[piece.name])
                parts.append(_filter(shown, ISOLATE if self._isolates and not self._html else SHOW))
            else:
                text = nodes.Const(self._quoted(piece))
                parts.append(nodes.MarkSafe(text) if self._html else text)
        return parts[0] if len(parts) == 1 else nodes.Concat(parts)


def _filter(node: nodes.Expr, name: str, *arguments: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, list(arguments), [], None, None, lineno=node.lineno)


def _truth(test: nodes.Expr) -> bool | None:
    """What a test comes to that no data can change; None for any other."""
    if isinstance(test, nodes.Compare) and len(test.ops) == 1:
        left, right = test.expr, test.ops[0].expr
        if isinstance(left, nodes.Const) and isinstance(right, nodes.Const) and test.ops[0].op in ("eq", "ne"):
            return (left.value == right.value) is (test.ops[0].op == "eq")
    return None
