"""A part in one language as code that runs: compiled once, rendered for every message under a budget."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, islice
from typing import Final

from jinja2 import Template, TemplateError, nodes

from gateway.errors import RenderFailed, TemplateBroken
from gateway.rendering.budget import MAX_OUTPUT
from gateway.rendering.environment import MessageFormats, PartFrame, RenderContext, Sandbox, Values
from gateway.rendering.inlining import inline
from gateway.rendering.localizing import Chooser, Language, localize
from gateway.rendering.parts import Part

# What a template can raise over data that it does not expect: all of them mean that this text cannot be rendered.
_FAILURES = (TemplateError, ValueError, TypeError, ArithmeticError, LookupError, RecursionError)

_CHUNKS: Final = 64
"""So many pieces of text are made before their length is looked at."""
_MOST_FORMS: Final = 1_000
"""Counts whose plural forms are remembered, for one part."""


class CompiledPart:
    """The code of one part in one language."""

    __slots__ = ("_choosers", "_forms", "_frame", "_render", "path")

    def __init__(
        self, environment: Sandbox, body: Sequence[nodes.Node], choosers: Sequence[Chooser], path: str
    ) -> None:
        self._choosers = tuple(choosers)
        self._forms: dict[tuple[int, int], int] = {}
        self.path = path
        self._frame = PartFrame(
            environment=environment, evaluation=nodes.EvalContext(environment, path), path=path, plurals=self
        )
        self._render = _compile(environment, _merged(body), path)

    def form(self, number: int, count: int) -> int:
        """Which form of plural string `number` a count takes."""
        key = number, count
        found = self._forms.get(key)
        if found is None:
            if len(self._forms) >= _MOST_FORMS:
                self._forms.clear()
            found = self._forms[key] = self._choosers[number](count)
        return found

    def render(self, values: Values, formats: MessageFormats) -> str:
        """The text for these values. Raises RenderFailed, whatever goes wrong with it."""
        pieces = self._render(RenderContext(self._frame, values, formats))
        left = MAX_OUTPUT
        chunks: list[str] = []
        try:
            while some := list(islice(pieces, _CHUNKS)):
                left -= sum(map(len, some)) + len(some)
                if left < 0:
                    raise RenderFailed(f"{self.path}: comes out longer than {MAX_OUTPUT} characters")
                chunks += some
        except _FAILURES as error:
            raise RenderFailed(f"{self.path}: {error}") from error
        return "".join(chunks)


def _compile(environment: Sandbox, body: list[nodes.Node], path: str) -> Callable[[RenderContext], Iterator[str]]:
    tree = nodes.Template(body, lineno=1)
    tree.set_environment(environment)
    try:
        code = environment.compile(tree, path, path)
    except (SyntaxError, RecursionError, MemoryError) as error:  # what CPython's compiler has limits for
        raise TemplateBroken(f"{path}: nests too deeply to be compiled", part=path) from error
    return Template.from_code(environment, code, {}).root_render_func


def _merged(body: Sequence[nodes.Node]) -> list[nodes.Node]:
    """The same tree with neighbouring outputs in one, and neighbouring texts in one piece: fewer, larger chunks."""
    merged: list[nodes.Node] = []
    for is_output, run in groupby(body, lambda node: isinstance(node, nodes.Output)):
        alike = list(run)
        merged += [_one_output(alike)] if is_output else map(_inside_merged, alike)
    return merged


def _inside_merged(node: nodes.Node) -> nodes.Node:
    match node:
        case nodes.If():
            elifs = [nodes.If(arm.test, _merged(arm.body), [], [], lineno=arm.lineno) for arm in node.elif_]
            return nodes.If(node.test, _merged(node.body), elifs, _merged(node.else_), lineno=node.lineno)
        case nodes.For():
            body, else_ = _merged(node.body), _merged(node.else_)
            return nodes.For(node.target, node.iter, body, else_, node.test, False, lineno=node.lineno)
        case _:
            return node


def _one_output(neighbours: Sequence[nodes.Node]) -> nodes.Output:
    """All pieces of some outputs; each is looked at once, since a part may have thousands."""
    outputs = [node for node in neighbours if isinstance(node, nodes.Output)]
    pieces = [piece for output in outputs for piece in output.nodes]
    joined: list[nodes.Expr] = []
    for is_text, run in groupby(pieces, lambda piece: isinstance(piece, nodes.TemplateData)):
        alike = list(run)
        joined += [_one_text(alike)] if is_text else alike
    return nodes.Output(joined, lineno=outputs[0].lineno)


def _one_text(texts: Sequence[nodes.Expr]) -> nodes.TemplateData:
    return nodes.TemplateData("".join(text.data for text in texts if isinstance(text, nodes.TemplateData)))


def compile_part(part: Part, language: Language, environment: Sandbox) -> CompiledPart:
    """A part in one language. Raises Missing for a string that it lacks, TemplateBroken for what cannot be placed."""
    localized = localize(part.body, language, part.path, html=part.html, isolates=part.isolates, urls=part.urls)
    body = localized.body
    if part.html:
        body = inline(body, part.path, tag=language.tag, direction=language.direction)
    return CompiledPart(environment, body, localized.choosers, part.path)
