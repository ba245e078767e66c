"""The `%(name)s` placeholders of a message: what a translation must keep for the message to render at all."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

# Conversion specifiers of printf-style formatting (Python library reference, "printf-style String Formatting").
_TOKEN = re.compile(
    r"%(?:%|(?:\((?P<name>[^()%]*)\))?(?P<flags>[#0\- +]*)(?P<width>\*|[0-9]*)(?P<precision>\.(?:\*|[0-9]*))?[hlL]?"
    r"(?P<type>[diouxXeEfFgGcrsa]))"
)
_CLASSES = {
    **dict.fromkeys("sra", "text"),
    **dict.fromkeys("diouxX", "integer"),
    **dict.fromkeys("eEfFgG", "decimal"),
    "c": "character",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholders:
    """What a message's `%` signs mean."""

    names: Mapping[str, str]
    """Name → class of its conversion (`text`, `integer`, `decimal`, `character`)."""
    formats: frozenset[tuple[str, str]]
    """(name, flags with width and precision) for those that have any: a width can ask for a gigabyte."""
    stray: str
    """The first `%` that is neither `%%` nor a named placeholder, with what follows it; empty if there is none."""


@lru_cache(maxsize=2048)
def read_placeholders(text: str) -> Placeholders:
    """Read the placeholders of a text that newstyle gettext will format with named values."""
    names: dict[str, str] = {}
    formats: set[tuple[str, str]] = set()
    stray = ""
    position = text.find("%")
    while position >= 0:
        token = _TOKEN.match(text, position)
        if token is None or (token[0] != "%%" and not token["name"]):
            stray = stray or text[position : position + 12]
            position = text.find("%", position + 1)
            continue
        if token[0] != "%%":
            names[token["name"]] = _CLASSES[token["type"]]
            options = token["flags"] + token["width"] + (token["precision"] or "")
            if options:
                formats.add((token["name"], options))
        position = text.find("%", token.end())
    return Placeholders(names=names, formats=frozenset(formats), stray=stray)
