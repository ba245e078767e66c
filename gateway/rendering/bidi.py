"""Bidirectional text: values stand isolated in right-to-left text, and cannot reorder what surrounds them."""

import re
from typing import Final

FSI: Final = "\u2068"
PDI: Final = "\u2069"

_OPENERS: Final = "\u2066\u2067\u2068"
_EMBEDDERS: Final = "\u202a\u202b\u202d\u202e"
_PDF: Final = "\u202c"

# Embeddings, overrides and isolates (UAX #9 §2): in a value they could reverse or swallow the text around it.
# The marks LRM, RLM and ALM stay: they only colour their neighbours.
CONTROLS: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")

# A link that stands alone on its line is no part of right-to-left text, and some phones take a PDI that follows
# a link for a part of it (Android's Patterns.WEB_URL allows U+2069).
_LONE_LINK: Final = re.compile(f"^([ \\t]*){FSI}(https?://[^\\s{PDI}]+){PDI}([ \\t]*)$", re.MULTILINE)


def strip_controls(value: str) -> str:
    """The value without the characters that reorder text (RLO and its kin)."""
    return CONTROLS.sub("", value) if not value.isascii() else value


def isolate(value: str) -> str:
    """The value between FSI and PDI: its own first strong letter sets its direction (UAX #9 §2.4)."""
    return f"{FSI}{value}{PDI}" if value else ""


def free_lone_links(text: str) -> str:
    """The text with links that fill a whole line taken out of their isolates."""
    return _LONE_LINK.sub(r"\1\2\3", text)


def is_balanced(text: str) -> bool:
    """Whether everything that isolates, embeds or overrides is closed again, in order and by its own end."""
    awaited: list[str] = []
    for control in CONTROLS.findall(text):
        if control in _OPENERS:
            awaited.append(PDI)
        elif control in _EMBEDDERS:
            awaited.append(_PDF)
        elif not awaited or awaited.pop() != control:
            return False
    return not awaited


def close_isolates(text: str) -> str:
    """The text with a PDI added for each isolate that a cut left open."""
    depth = 0
    for control in CONTROLS.findall(text):
        if control in _OPENERS:
            depth += 1
        elif control == PDI:
            depth = max(0, depth - 1)
    return text + PDI * depth
