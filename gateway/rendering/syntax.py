"""The allow-list: what a template may say, held over its syntax tree before anything of it runs.

Jinja's sandbox alone was escaped five times in ten years (CVE-2016-10745 to CVE-2025-27516), each time through
attributes, calls or formats; a template here has none of these.
"""

from collections.abc import Iterator
from typing import Final

from jinja2 import TemplateSyntaxError, nodes

from gateway.errors import TemplateBroken
from gateway.rendering.environment import FORMATTING, Sandbox
from gateway.rendering.strings import PRIVATE

MAX_SOURCE: Final = 200_000
"""Characters of one part."""
MAX_NODES: Final = 8_000
"""Of one part, with all that it extends and includes."""
MAX_DEPTH: Final = 40
MAX_LOOPS: Final = 6
"""How deep loops may nest: CPython refuses twenty nested blocks."""

GETTEXT: Final = {"_": (0, 1), "gettext": (0, 1), "ngettext": (0, 3), "pgettext": (1, 2), "npgettext": (1, 4)}
"""Each marking function: how many arguments are its context, and how many it has in all."""

_FREE_ARGUMENTS: Final = 1
_CONSTANT_ARGUMENTS: Final = {"date": 1, "time": 1, "datetime": 1, "list": 1, "unit": 1, "join": 1}
_FILTERS: Final = FORMATTING | {
    *("default", "length", "first", "last", "join", "upper", "lower", "trim", "e", "escape", "forceescape"),
}
_TESTS: Final = frozenset({"defined", "undefined", "none"})

_PLAIN: Final = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.If,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Name,
    nodes.List,
    nodes.Tuple,
    nodes.Keyword,
)


def parse(environment: Sandbox, source: str, path: str) -> nodes.Template:
    """The syntax tree of one file, all of it allowed. Raises TemplateBroken with the line."""
    if len(source) > MAX_SOURCE:
        raise TemplateBroken(f"{path}: is longer than {MAX_SOURCE} characters", part=path)
    for character in PRIVATE:
        if character in source:
            raise TemplateBroken(f"{path}: holds U+{ord(character):04X}, which is kept for the renderer", part=path)
    try:
        tree = environment.parse(source, name=path, filename=path)
    except TemplateSyntaxError as error:
        hint = _hint(error.message or "")
        raise TemplateBroken(f"{path}:{error.lineno}: {error.message}{hint}", part=path, line=error.lineno) from error
    except RecursionError as error:
        raise TemplateBroken(f"{path}: nests too deeply", part=path) from error
    except ValueError as error:
        # CPython refuses integers of more than 4,300 digits while reading them.
        raise TemplateBroken(f"{path}: holds a number that is too long", part=path) from error
    _Allowed(path).check(tree)
    return tree


def _hint(message: str) -> str:
    """What mends the mistakes that people make most."""
    # Outside {% trans %} a dot, bracket or filter never ends what is printed.
    if "expected token 'end of print statement', got" in message and message.endswith(("'.'", "'['", "'|'", "'('")):
        return ": inside {% trans %} only bare names may stand, so bind the value first: {% trans name=user.name %}"
    return ""


class _Allowed:
    """One walk over the tree of one file."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._nodes = 0

    def _refuse(self, node: nodes.Node, message: str) -> TemplateBroken:
        return TemplateBroken(f"{self._path}:{node.lineno}: {message}", part=self._path, line=node.lineno)

    def check(self, node: nodes.Node, depth: int = 0, loops: int = 0) -> None:
        """Refuse the first thing that is not allowed."""
        self._nodes += 1
        if self._nodes > MAX_NODES or depth > MAX_DEPTH:
            raise self._refuse(node, "the template is too large or nests too deeply")
        loops += isinstance(node, nodes.For)
        if loops > MAX_LOOPS:
            raise self._refuse(node, f"loops nest more than {MAX_LOOPS} deep")
        refusal = _refused_statement(node) if isinstance(node, nodes.Stmt) else self._refused_expression(node)
        if refusal:
            raise self._refuse(node, refusal)
        for child in _children(node):
            self.check(child, depth + 1, loops)

    def _refused_expression(self, node: nodes.Node) -> str | None:
        """Why an expression is not allowed; None when it is."""
        match node:
            case nodes.Filter():
                return _refused_filter(node)
            case nodes.Call():
                return _refused_call(node)
            case nodes.Const(value=value):
                allowed = isinstance(value, str | int | float | bool | None)
                return None if allowed else "only strings, numbers, true, false and none can be written out"
            case nodes.Test(name=name):
                known = ", ".join(sorted(_TESTS))
                return None if name in _TESTS else f"the test `is {name}` does not exist here; there are: {known}"
            case nodes.Getattr() | nodes.Getitem():
                return _refused_field(node)
            case _:
                return None if isinstance(node, _PLAIN) else f"{_name(node)} cannot be used in a template"


def _refused_statement(node: nodes.Stmt) -> str | None:
    """Why a statement is not allowed; None when it is."""
    match node:
        case nodes.For():
            return _refused_loop(node)
        case nodes.Assign():
            return None if isinstance(node.target, nodes.Name) else "set one plain name at a time"
        case nodes.Extends(template=nodes.Const(value=str())) | nodes.Include(template=nodes.Const(value=str())):
            return None
        case nodes.Extends() | nodes.Include():
            return "the name of a layout must be written out"
        case nodes.Block():
            return "required blocks do not exist here" if node.required else None
        case _:
            return None if isinstance(node, _PLAIN) else f"{_name(node)} cannot be used in a template"


def _refused_loop(node: nodes.For) -> str | None:
    if node.recursive:
        return "loops cannot be recursive"
    if not isinstance(node.target, nodes.Name):
        return "a loop takes one plain name: {% for item in items %}"
    return "a loop goes over a list variable" if isinstance(node.iter, nodes.List | nodes.Tuple | nodes.Const) else None


def _refused_field(node: nodes.Getattr | nodes.Getitem) -> str | None:
    if isinstance(node, nodes.Getattr):
        key = node.attr
    elif _is_text(node.arg):
        key = node.arg.as_const()
    else:
        return "only a written-out key may stand in brackets"
    return "names that begin with _ do not exist here" if key.startswith("_") else None


def _refused_filter(node: nodes.Filter) -> str | None:
    if node.node is None or node.name not in _FILTERS:
        return f"the filter `{node.name}` does not exist here; there are: {', '.join(sorted(_FILTERS))}"
    constant = _CONSTANT_ARGUMENTS.get(node.name, 0)
    allowed = _FREE_ARGUMENTS if node.name == "default" else constant
    if node.kwargs or node.dyn_args or node.dyn_kwargs or len(node.args) > allowed:
        return f"the filter `{node.name}` takes at most {allowed} plain argument(s)"
    if constant and not all(_is_text(argument) for argument in node.args):
        return f"the argument of `{node.name}` must be a written-out string"
    if node.name == "unit" and not node.args:
        return 'unit needs the name of a unit, such as unit("kilometer")'
    return None


def _refused_call(node: nodes.Call) -> str | None:
    if not isinstance(node.node, nodes.Name) or node.node.name not in GETTEXT:
        return "nothing can be called but _, gettext, ngettext, pgettext and npgettext"
    contexts, total = GETTEXT[node.node.name]
    texts = node.args[: total - 1] if total - contexts == 3 else node.args
    if len(node.args) != total or node.dyn_args or node.dyn_kwargs:
        return f"{node.node.name} takes {total} plain argument(s) and named values"
    if not all(_is_text(text) for text in texts):
        return f"the texts given to {node.node.name} must be written out, or no catalog can hold them"
    return None


def _is_text(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Const) and isinstance(node.value, str)


def _children(node: nodes.Node) -> Iterator[nodes.Node]:
    """Below a call to a marking function its name is no variable."""
    if isinstance(node, nodes.Call):
        yield from node.args
        yield from node.kwargs
    else:
        yield from node.iter_child_nodes()


def _name(node: nodes.Node) -> str:
    words = {
        "Concat": "`~`",
        "Mul": "`*`",
        "Pow": "`**`",
        "Mod": "`%`",
        "Add": "`+`",
        "Sub": "`-`",
        "Div": "`/`",
        "FloorDiv": "`//`",
        "Macro": "{% macro %}",
        "CallBlock": "{% call %}",
        "FilterBlock": "{% filter %}",
        "AssignBlock": "{% set %} around text",
        "Import": "{% import %}",
        "FromImport": "{% from %}",
        "With": "{% with %}",
        "Slice": "a slice",
        "Dict": "a written-out object",
        "ScopedEvalContextModifier": "{% autoescape %}",
    }
    return words.get(type(node).__name__, type(node).__name__)
