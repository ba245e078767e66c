"""What is known of a part before any data comes: the names it uses, what it counts, whether it may come out empty."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from jinja2 import nodes

from gateway.errors import TemplateBroken
from gateway.rendering.environment import FORMATTING
from gateway.rendering.marking import read_mark
from gateway.rendering.strings import Place, split
from gateway.rendering.syntax import GETTEXT
from gateway.rendering.variables import Variable, VariableType

Path = tuple[str, ...]

_GIVEN: Final = frozenset(
    {"recipient", "locale", "unsubscribe_url", "preferences_url", "postal_address", "subject", "preheader", "loop"}
)
_URLS: Final = frozenset({"unsubscribe_url", "preferences_url"})
_COUNTED: Final = frozenset({VariableType.NUMBER})
_UNCOUNTABLE: Final = frozenset(VariableType) - {VariableType.INTEGER, VariableType.NUMBER}


@dataclass(slots=True, kw_only=True)
class Survey:
    """One walk over the flat tree of a part. Raises TemplateBroken for a name that nothing declares."""

    path: str
    variables: Mapping[str, Variable]
    counts: set[Path] = field(default_factory=set)
    """Paths of values that choose a plural form and are not sure to be integers."""
    unsure: bool = False
    """It shows a value that may be absent or of any type: only rendering tells whether it can be rendered."""
    urls: set[int] = field(default_factory=set)
    """Ids of the expressions that are known to be checked web addresses, or empty."""
    given: set[str] = field(default_factory=set)
    """What it uses of what every template is given."""
    _bound: dict[str, Path | None] = field(default_factory=dict)
    _guarded: set[str] = field(default_factory=set)

    def walk(self, body: Sequence[nodes.Node]) -> None:
        """Look at every node, with loops and guards in mind."""
        for node in body:
            match node:
                case nodes.For():
                    self._walk_for(node)
                case nodes.If():
                    self._walk_if(node)
                case nodes.Assign(target=nodes.Name(name=name)):
                    self._look(node.node)
                    self._bound[name] = self.path_of(node.node)
                case _:
                    self._look(node)

    def _walk_for(self, node: nodes.For) -> None:
        assert isinstance(node.target, nodes.Name)
        self._look(node.iter)
        over = self.path_of(node.iter)
        before = dict(self._bound)
        self._bound[node.target.name] = (*over, "*") if over else None
        if node.test is not None:
            self._look(node.test)
        self.walk(node.body)
        self._bound = before
        self.walk(node.else_)

    def _walk_if(self, node: nodes.If) -> None:
        self._look(node.test, guarding=True)
        before = set(self._guarded)
        self._guarded |= {name.name for name in _names(node.test)}
        self.walk(node.body)
        self._guarded = before
        self.walk(node.elif_)
        self.walk(node.else_)

    def _look(self, node: nodes.Node, *, guarding: bool = False) -> None:
        if self._is_url(node):
            self.urls.add(id(node))
        match node:
            case nodes.Call():
                self._look_at_mark(node)
            case nodes.Filter(name="default") | nodes.Test():
                guarding = True
            case nodes.Name(name=name) if node.ctx == "load":
                self._look_at_name(node, name, guarding)
            case nodes.Getattr() | nodes.Getitem():
                self._look_at_field(node)
        children = (*node.args, *node.kwargs) if isinstance(node, nodes.Call) else node.iter_child_nodes()
        for child in children:
            self._look(child, guarding=guarding)

    def _look_at_name(self, node: nodes.Node, name: str, guarding: bool) -> None:
        if name in self._bound or name in _GIVEN:
            self.unsure = self.unsure or (name == "recipient" and not guarding)
            if name not in self._bound:
                self.given.add(name)
        elif name not in self.variables:
            known = ", ".join(sorted(self.variables)) or "none"
            message = f"{self.path}:{node.lineno}: {name!r} is not declared under [variables]; there are: {known}"
            raise TemplateBroken(message, part=self.path, line=node.lineno)
        elif self.variables[name].optional and not guarding and name not in self._guarded:
            self.unsure = True

    def _look_at_field(self, node: nodes.Getattr | nodes.Getitem) -> None:
        path = self.path_of(node)
        above = self.path_of(node.node)
        if path is None or above is None or path[0] in _GIVEN:
            return
        owner = self.declared(above)
        if owner is None or (owner.type is VariableType.OBJECT and owner.fields is None):
            self.unsure = True
        elif owner.type is VariableType.OBJECT and owner.fields is not None and path[-1] not in owner.fields:
            known = ", ".join(sorted(owner.fields))
            message = f"{self.path}:{node.lineno}: {'.'.join(path)} is not declared; there are: {known}"
            raise TemplateBroken(message, part=self.path, line=node.lineno)
        elif owner.fields is not None and owner.fields[path[-1]].optional:
            self.unsure = True

    def _look_at_mark(self, call: nodes.Call) -> None:
        count = read_mark(call, html=False).count
        path = self.path_of(count) if count is not None else None
        if path is None or path[0] in _GIVEN:
            return
        variable = self.declared(path)
        if variable is None or variable.type in _COUNTED:
            self.counts.add(path)
        elif variable.type in _UNCOUNTABLE:
            message = f"{self.path}:{call.lineno}: a plural is chosen by an integer, and {'.'.join(path)} is none"
            raise TemplateBroken(message, part=self.path, line=call.lineno)

    def path_of(self, node: nodes.Node) -> Path | None:
        """Where in the data an expression points; None when it is no plain place."""
        match node:
            case nodes.Name(name=name):
                return self._bound.get(name, (name,))
            case nodes.Getattr(node=above, attr=attribute):
                path = self.path_of(above)
                return (*path, attribute) if path else None
            case nodes.Getitem(node=above, arg=nodes.Const(value=key)):
                path = self.path_of(above)
                return (*path, str(key)) if path else None
            case nodes.Filter(name="default", node=nodes.Expr() as inner):
                return self.path_of(inner)
            case _:
                return None

    def declared(self, path: Path) -> Variable | None:
        """What the data is declared to be there; None where nothing says."""
        variable = self.variables.get(path[0])
        for step in path[1:]:
            if variable is None:
                return None
            variable = variable.items if step == "*" else (variable.fields or {}).get(step)
        return variable

    def _is_url(self, node: nodes.Node) -> bool:
        path = self.path_of(node)
        if path is None:
            return False
        if path[0] in _URLS:
            return True
        variable = self.declared(path)
        return variable is not None and variable.type is VariableType.URL


def _names(node: nodes.Node) -> Sequence[nodes.Name]:
    return [*([node] if isinstance(node, nodes.Name) else []), *node.find_all(nodes.Name)]


def may_be_empty(body: Sequence[nodes.Node], variables: Mapping[str, Variable]) -> bool:
    """Whether this text could come out blank for some data that passes its checks."""
    return not any(_always_shows(node, variables) for node in body)


def _always_shows(node: nodes.Node, variables: Mapping[str, Variable]) -> bool:
    match node:
        case nodes.Output():
            return any(_is_visible(child, variables) for child in node.nodes)
        case nodes.If():
            branches = [node.body, *(branch.body for branch in node.elif_), node.else_]
            return all(any(_always_shows(child, variables) for child in branch) for branch in branches)
        case _:
            return False


def _is_visible(node: nodes.Expr, variables: Mapping[str, Variable]) -> bool:
    match node:
        case nodes.TemplateData(data=data):
            return bool(data.strip())
        case nodes.Call(node=nodes.Name(name=name)) if name in GETTEXT:
            marked = read_mark(node, html=False).marked
            return all(
                any(not isinstance(piece, Place) and piece.strip() for piece in split(text))
                for text in (marked.singular, marked.plural)
                if text is not None
            )
        case nodes.Filter(name=name):
            return name in FORMATTING - {"list"}
        case nodes.Name(name=name) if name in variables:
            variable = variables[name]
            return not variable.optional and variable.type not in (VariableType.STRING, VariableType.LIST)
        case _:
            return False
