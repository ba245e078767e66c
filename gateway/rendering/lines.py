"""The lines of plain text: a subject is one, a body has no ragged edges."""

import re
from typing import Final

# All that a mail program, a phone or a careless library might take for the end of a line, and blanks beside it.
_BREAKS: Final = re.compile("[\x00-\x20\x7f-\x9f\u2028\u2029]+")
_BLANK_LINES: Final = re.compile(r"\n{3,}")
_TRAILING: Final = re.compile(r"[ \t]+$", re.MULTILINE)


def one_line(text: str) -> str:
    """The text without anything that ends a line; what stood apart is still apart."""
    return _BREAKS.sub(" ", text).strip()


def tidy(text: str) -> str:
    """Plain text without blank edges, trailing blanks and runs of empty lines."""
    text = text.replace("\r\n", "\n")
    # Looked for first: an expression that finds nothing still visits every line.
    if " \n" in text or "\t\n" in text:
        text = _TRAILING.sub("", text)
    if "\n\n\n" in text:
        text = _BLANK_LINES.sub("\n\n", text)
    return text.strip()
