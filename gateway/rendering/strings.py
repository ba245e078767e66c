"""Marked strings: a source or its translation, taken apart into literal text and named places.

The grammar is narrower than Python's: `%(name)s` and `%%`, nothing else, so that a translation can neither name what
its source does not, nor ask for a width that eats the memory. What does not fit counts as missing.
"""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

from gateway.rendering import bidi

MAX_TRANSLATION: Final = 20_000
PRIVATE: Final = "\ue000\ue001"
"""Characters that mark places while CSS is inlined; no text may hold them."""

_PIECE: Final = re.compile(r"%(?:%|\(([A-Za-z_][A-Za-z0-9_]*)\)s|)")
_TAG: Final = re.compile(r"</?[A-Za-z][^<>]*>|<!--|<[!?/]|<[A-Za-z]")
_SPACE: Final = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands in a string."""

    name: str


Piece = str | Place


class Unusable(Exception):
    """This text cannot stand for its source; the reason, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """One string that a part shows, as the catalogs know it."""

    context: str | None
    singular: str
    plural: str | None
    names: frozenset[str]
    """What the string may name: the values bound at its place."""
    html: bool

    @property
    def key(self) -> tuple[str | None, str, str | None]:
        """What the catalogs find it by."""
        return self.context, self.singular, self.plural


def split(text: str) -> tuple[Piece, ...]:
    """The pieces of a format string. Raises Unusable for a `%` that is neither `%%` nor `%(name)s`."""
    pieces: list[Piece] = []
    literal = ""
    end = 0
    for found in _PIECE.finditer(text):
        literal += text[end : found.start()]
        end = found.end()
        if found[0] == "%%":
            literal += "%"
        elif found[1]:
            if literal:
                pieces.append(literal)
            pieces.append(Place(found[1]))
            literal = ""
        else:
            raise Unusable(
                f"has a lone % near {text[found.start() : found.start() + 12]!r}: write %% for a percent sign"
            )
    literal += text[end:]
    if literal:
        pieces.append(literal)
    return tuple(pieces)


def names(pieces: tuple[Piece, ...]) -> Counter[str]:
    """How often each name is used."""
    return Counter(piece.name for piece in pieces if isinstance(piece, Place))


def _tags(text: str) -> Counter[str]:
    return Counter(_SPACE.sub(" ", tag) for tag in _TAG.findall(text))


def check(source: str, text: str, marked: Marked, *, every_name: bool = True) -> tuple[Piece, ...]:
    """The pieces of a translation that can stand for `source`. Raises Unusable.

    `every_name` is waived for plural forms: a form that covers one number may leave the number out.
    """
    if len(text) > MAX_TRANSLATION:
        raise Unusable(f"is longer than {MAX_TRANSLATION} characters")
    if any(character in text for character in PRIVATE):
        raise Unusable("holds U+E000 or U+E001")
    if not bidi.is_balanced(text):
        raise Unusable("opens a direction that it does not close")
    pieces = split(text)
    used, wanted = names(pieces), names(split(source))
    if unknown := used.keys() - marked.names:
        raise Unusable(f"names %({min(unknown)})s, which its source does not know")
    if every_name and (missing := wanted.keys() - used.keys()):
        raise Unusable(f"leaves out %({min(missing)})s")
    if any(times > wanted[name] + 2 for name, times in used.items()):
        raise Unusable("repeats a value more than twice as often as its source")
    if _tags(text) != _tags(source):
        raise Unusable("has other markup than its source")
    return pieces
