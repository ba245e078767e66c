"""Inheritance and includes, resolved before anything is compiled: a part becomes one flat tree.

Only files below `_layouts/` can be extended or included, by names that are written out, so a name can reach nothing
else. A flat tree is what the allow-list, the strings, the CSS and the checks are read from, and it renders faster.
"""

import re
from collections.abc import Mapping
from typing import Final

from jinja2 import nodes

from gateway.errors import TemplateBroken
from gateway.rendering.environment import Sandbox
from gateway.rendering.syntax import MAX_NODES, parse

FOLDER: Final = "_layouts"
MAX_DEPTH: Final = 6
_NAME: Final = re.compile(r"_layouts/[a-z0-9][a-z0-9-]{0,63}\.(?:html|txt)", re.ASCII)

Blocks = Mapping[str, list[nodes.Node]]


class Flattener:
    """Flattens one part after the other over the same layouts."""

    def __init__(self, environment: Sandbox, layouts: Mapping[str, str]) -> None:
        self._environment = environment
        self._layouts = layouts
        self._parsed: dict[str, nodes.Template] = {}
        self._left = MAX_NODES
        self.used: set[str] = set()
        """The layouts that the last part was made of."""

    def flatten(self, source: str, path: str) -> list[nodes.Node]:
        """The part's own and inherited content in one list of nodes. Raises TemplateBroken."""
        self.used = set()
        self._left = MAX_NODES
        return self._resolve(parse(self._environment, source, path), path, {}, 0)

    def _resolve(self, tree: nodes.Template, path: str, overriding: Blocks, depth: int) -> list[nodes.Node]:
        if depth > MAX_DEPTH:
            raise TemplateBroken(f"{path}: extends or includes more than {MAX_DEPTH} levels deep", part=path)
        extends = [node for node in tree.body if isinstance(node, nodes.Extends)]
        if not extends:
            return self._fill(tree.body, path, overriding, depth)
        if len(extends) > 1:
            raise TemplateBroken(f"{path}:{extends[1].lineno}: extends twice", part=path, line=extends[1].lineno)
        blocks = {block.name: self._fill(block.body, path, overriding, depth) for block in tree.find_all(nodes.Block)}
        settings = [node for node in tree.body if isinstance(node, nodes.Assign)]
        parent = self._load(extends[0], path)
        return settings + self._resolve(parent, _written(extends[0]), {**blocks, **overriding}, depth + 1)

    def _fill(self, body: list[nodes.Node], path: str, overriding: Blocks, depth: int) -> list[nodes.Node]:
        filled: list[nodes.Node] = []
        for node in body:
            match node:
                case nodes.Block(name=name):
                    filled += overriding[name] if name in overriding else self._fill(node.body, path, overriding, depth)
                case nodes.Include():
                    included = self._load(node, path)
                    filled += self._resolve(included, _written(node), {}, depth + 1)
                case nodes.If():
                    filled.append(self._fill_if(node, path, overriding, depth))
                case nodes.For():
                    filled.append(self._fill_for(node, path, overriding, depth))
                case nodes.Extends():
                    raise TemplateBroken(f"{path}:{node.lineno}: extends must stand alone at the top", part=path)
                case _:
                    filled.append(node)
                    self._left -= 1 + sum(1 for _ in node.find_all(nodes.Node))
            if self._left < 0:
                raise TemplateBroken(f"{path}: is too large with all that it includes", part=path)
        return filled

    def _fill_if(self, node: nodes.If, path: str, overriding: Blocks, depth: int) -> nodes.If:
        body = self._fill(node.body, path, overriding, depth)
        elifs = [self._fill_if(branch, path, overriding, depth) for branch in node.elif_]
        return nodes.If(node.test, body, elifs, self._fill(node.else_, path, overriding, depth), lineno=node.lineno)

    def _fill_for(self, node: nodes.For, path: str, overriding: Blocks, depth: int) -> nodes.For:
        body = self._fill(node.body, path, overriding, depth)
        else_ = self._fill(node.else_, path, overriding, depth)
        return nodes.For(node.target, node.iter, body, else_, node.test, False, lineno=node.lineno)

    def _load(self, node: nodes.Extends | nodes.Include, path: str) -> nodes.Template:
        name = _written(node)
        if not _NAME.fullmatch(name) or name not in self._layouts:
            known = ", ".join(sorted(self._layouts)) or "none"
            message = f"{path}:{node.lineno}: there is no layout {name!r}; there are: {known}"
            raise TemplateBroken(message, part=path, line=node.lineno)
        self.used.add(name)
        self._left -= 1
        if name not in self._parsed:
            self._parsed[name] = parse(self._environment, self._layouts[name], name)
        return self._parsed[name]


def _written(node: nodes.Extends | nodes.Include) -> str:
    """The name of the layout; the allow-list made sure that it is written out."""
    assert isinstance(node.template, nodes.Const)
    return str(node.template.value)
