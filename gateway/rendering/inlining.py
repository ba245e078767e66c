"""CSS moved into style attributes, and the language marked, when a part is compiled: never per message.

The tree is written out as one HTML text in which a token stands for every value and every edge of a branch or loop;
css-inline works on that text; then it is taken apart at the tokens again. A token in element text is a comment, so
that it may stand in tables; one in an attribute is a run of private-use characters.
"""

import re
from collections.abc import Iterator, Sequence
from html import unescape
from typing import Final

import css_inline
from jinja2 import nodes

from gateway.errors import TemplateBroken
from gateway.rendering.html import Cursor, Where

MAX_ELEMENTS: Final = 1_500
"""Elements that one body may open: the parser's stack ends the process somewhere above 5,000 levels."""
MAX_STYLING: Final = 200_000
"""Elements times declarations and selectors: what the inliner may have to write and compare."""
_STYLE_SHEET: Final = re.compile(r"<style\b[^>]*>(.*?)</style", re.DOTALL | re.IGNORECASE)
_ELEMENT: Final = re.compile(r"<[A-Za-z]")
_TOKEN: Final = re.compile("<!--\ue000([0-9]+)\ue001-->|\ue000([0-9]+)\ue001")
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)
_MARKUP: Final = re.compile(
    r"""<style\b.*?</style>|<!--.*?-->|<[!/A-Za-z](?:"[^"]*"|'[^']*'|[^'">])*>""", re.DOTALL | re.IGNORECASE
)
_HTML: Final = re.compile(r"<html\b[^>]*>", re.IGNORECASE)
_BODY: Final = re.compile(r"(<body\b[^>]*>)(.*)(</body>)", re.IGNORECASE | re.DOTALL)
_STYLE: Final = re.compile(r"(?<=<head>)<style>.*?</style>\n?", re.DOTALL)
_DIV: Final = re.compile(r"<(/?)div\b[^>]*>", re.IGNORECASE)
_LANGUAGE: Final = re.compile(r"""\s(?:lang|dir)\s*=\s*(?:"[^"]*"|'[^']*'|[^\s>]+)""", re.IGNORECASE)


class _Writer:
    """Writes the tree as text with tokens."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._cursor = Cursor()
        self._texts: list[str] = []
        self.tokens = 0

    def text(self) -> str:
        return "".join(self._texts)

    @property
    def is_closed(self) -> bool:
        """Whether every tag, comment and style was closed."""
        return self._cursor.where is Where.TEXT

    def write(self, body: Sequence[nodes.Node]) -> None:
        for node in body:
            match node:
                case nodes.Output():
                    for child in node.nodes:
                        self._write_child(child)
                case nodes.If():
                    self._mark()
                    for branch in _branches(node):
                        self.write(branch)
                        self._mark()
                case nodes.For():
                    self._mark()
                    for branch in (node.body, node.else_):
                        self.write(branch)
                        self._mark()
                case _:
                    self._mark()

    def _write_child(self, child: nodes.Expr) -> None:
        if isinstance(child, nodes.TemplateData):
            self._cursor.feed(child.data, self._path)
            self._texts.append(child.data)
        else:
            self._mark()

    def _mark(self) -> None:
        self._cursor.tail = ""
        token = f"\ue000{self.tokens}\ue001"
        self._texts.append(f"<!--{token}-->" if self._cursor.where is Where.TEXT else token)
        self.tokens += 1


class _Reader:
    """Puts the texts between the tokens back where they belong; walks as the writer did."""

    def __init__(self, texts: Iterator[str]) -> None:
        self._texts = texts

    def next_text(self) -> list[nodes.Node]:
        text = next(self._texts)
        return [nodes.Output([nodes.TemplateData(text)])] if text else []

    def read(self, body: Sequence[nodes.Node]) -> list[nodes.Node]:
        """The body with its texts exchanged; the text before it was read already."""
        read: list[nodes.Node] = []
        for node in body:
            match node:
                case nodes.Output():
                    for child in node.nodes:
                        if not isinstance(child, nodes.TemplateData):
                            read.append(nodes.Output([child], lineno=node.lineno))
                            read += self.next_text()
                case nodes.If():
                    read += self._read_if(node)
                case nodes.For():
                    read += self._read_for(node)
                case _:
                    read.append(node)
                    read += self.next_text()
        return read

    def _read_if(self, node: nodes.If) -> list[nodes.Node]:
        bodies = [self.next_text() + self.read(branch) for branch in _branches(node)]
        elifs = [
            nodes.If(branch.test, body, [], [], lineno=branch.lineno)
            for branch, body in zip(node.elif_, bodies[1:-1], strict=True)
        ]
        return [nodes.If(node.test, bodies[0], elifs, bodies[-1], lineno=node.lineno), *self.next_text()]

    def _read_for(self, node: nodes.For) -> list[nodes.Node]:
        body = self.next_text() + self.read(node.body)
        else_ = self.next_text() + self.read(node.else_)
        loop = nodes.For(node.target, node.iter, body, else_, node.test, False, lineno=node.lineno)
        return [loop, *self.next_text()]


def _branches(node: nodes.If) -> list[list[nodes.Node]]:
    return [node.body, *(branch.body for branch in node.elif_), node.else_]


def inline(body: Sequence[nodes.Node], path: str, *, tag: str, direction: str) -> list[nodes.Node]:
    """The tree of a whole HTML document: CSS inlined, language and direction marked. Raises TemplateBroken."""
    writer = _Writer(path)
    writer.write(body)
    _check_cost(writer, path)
    inliner = css_inline.CSSInliner(load_remote_stylesheets=False, keep_at_rules=True)
    try:
        text = inliner.inline(writer.text())
    except css_inline.InlineError as error:
        raise TemplateBroken(f"{path}: the CSS cannot be inlined: {error}", part=path) from error
    if not _is_same(writer.text(), text):
        message = "a text, value, condition or loop stands where HTML moves it, such as directly inside <table> or <tr>"
        raise TemplateBroken(f"{path}: {message}", part=path)
    reader = _Reader(iter(_TOKEN.split(mark_language(_style_last(text), tag, direction))[0::3]))
    return reader.next_text() + reader.read(body)


def _check_cost(writer: _Writer, path: str) -> None:
    """Refuse what would take the inliner's time, memory or stack."""
    if not writer.is_closed:
        raise TemplateBroken(f"{path}: ends inside a tag, comment or style that is not closed", part=path)
    elements = sum(1 for _ in _ELEMENT.finditer(writer.text()))
    if elements > MAX_ELEMENTS:
        raise TemplateBroken(f"{path}: opens more than {MAX_ELEMENTS} HTML elements", part=path)
    rules = sum(sheet[1].count(mark) for sheet in _STYLE_SHEET.finditer(writer.text()) for mark in "{;,")
    if elements * rules > MAX_STYLING:
        raise TemplateBroken(f"{path}: has too many CSS rules for its {elements} elements", part=path)


def _is_same(written: str, inlined: str) -> bool:
    """Whether every token kept its place, and between them every text that readers see."""
    before, after = _TOKEN.split(written), _TOKEN.split(inlined)
    if before[1::3] != after[1::3] or before[2::3] != after[2::3]:
        return False
    in_text = [True, *(comment is not None for comment in before[1::3]), True]
    stretches = zip(before[0::3], after[0::3], in_text, in_text[1:], strict=False)
    return all(_visible(old) == _visible(new) for old, new, starts, ends in stretches if starts and ends)


def _visible(html: str) -> str:
    return "".join(unescape(_MARKUP.sub("", html)).split())


def _style_last(document: str) -> str:
    """The document with its rules at the end of <head>: the inliner puts them first, and `charset` must come early."""
    found = _STYLE.search(document)
    if not found or "</head>" not in document:
        return document
    rest = document[: found.start()] + document[found.end() :]
    return rest.replace("</head>", f"{found[0]}</head>", 1)


def mark_language(document: str, tag: str, direction: str) -> str:
    """The document with `lang` and `dir` on <html> and on one <div> around all of its body.

    The <div> is there because some web mail drops <html> and <body> with their attributes.
    """
    language = f' lang="{tag}" dir="{direction}"'

    def marked(opening: str) -> str:
        bare = _LANGUAGE.sub("", opening)
        return f"{bare[:-1].rstrip()}{language}>"

    document = _HTML.sub(lambda found: marked(found[0]), document, count=1)
    if not document.lstrip().lower().startswith("<!doctype"):
        document = f"<!DOCTYPE html>{document}"
    found = _BODY.search(document)
    if not found:
        return document
    content = found[2]
    wrapper = _wrapper(content)
    if wrapper:
        start, end = wrapper
        content = content[:start] + marked(content[start:end]) + content[end:]
    else:
        content = f"<div{language}>{content}</div>"
    return f"{document[: found.start(2)]}{content}{document[found.end(2) :]}"


def _wrapper(content: str) -> tuple[int, int] | None:
    """Where the opening tag of the <div> stands that holds everything else; None when there is no such <div>."""
    bare = _COMMENT.sub(lambda comment: " " * len(comment[0]), content)
    first = _DIV.search(bare)
    if not first or first[1] or bare[: first.start()].strip():
        return None
    depth = 0
    for tag in _DIV.finditer(bare):
        depth += -1 if tag[1] else 1
        if depth == 0:
            return None if bare[tag.end() :].strip() else first.span()
    return None
