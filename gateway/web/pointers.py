"""JSON pointers (RFC 6901): how a problem names the field that is wrong."""

from typing import Final

from gateway.domain.recipients import JsonValue

Path = tuple[str | int, ...]
"""Member names and list indexes from the body's root."""

_TAG: Final = "\0"
"""No member name that reaches a model begins with it: bodies that hold U+0000 are refused before."""


def tag(name: str) -> str:
    """The tag of one member of a discriminated union."""
    return f"{_TAG}{name}"


def pointer(path: Path) -> str:
    """The JSON pointer of a path; the root is the empty text. A half surrogate pair in a name is shown as `?`."""
    return "".join(f"/{_escaped(part)}" for part in path)


def _escaped(part: str | int) -> str:
    text = str(part).replace("~", "~0").replace("/", "~1")
    return text if text.isascii() else text.encode(errors="replace").decode()


def located(path: Path, body: JsonValue) -> Path:
    """A validator's location cut down to what names a place in the body.

    pydantic puts the tags of union members between the real steps (ours are set off by `tag`); a step that the
    body does not have is kept only when it comes last (a missing or unexpected member).
    """
    steps: list[str | int] = []
    node: JsonValue = body
    for position, step in enumerate(path):
        if isinstance(step, str) and step.startswith(_TAG):
            continue
        if _has(node, step):
            node = _child(node, step)
            steps.append(step)
        elif position == len(path) - 1 and isinstance(node, dict):
            steps.append(step)
    return tuple(steps)


def _has(node: JsonValue, step: str | int) -> bool:
    match node:
        case dict():
            return step in node
        case list():
            return isinstance(step, int) and step < len(node)
        case _:
            return False


def _child(node: JsonValue, step: str | int) -> JsonValue:
    match node:
        case dict() if isinstance(step, str):
            return node[step]
        case list() if isinstance(step, int):
            return node[step]
        case _:
            return None
