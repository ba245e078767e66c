"""Values that options spell: JSON given inline, in a file or on standard input, and paths of URLs."""

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gateway.cli.output import fail


def parse_object(option: str, given: str) -> dict[str, Any]:
    """The JSON object in `given`, in the file `@name`, or on standard input for `-`; wrong use ends with status 2."""
    text = given
    if given == "-":
        text = sys.stdin.read()
    elif given.startswith("@"):
        try:
            text = Path(given[1:]).read_text(encoding="utf-8")
        except OSError as error:
            raise fail(f"{option}: {given[1:]} cannot be read: {error.strerror}", 2) from error
    try:
        value = json.loads(text)
    except ValueError as error:
        raise fail(f"{option}: no JSON: {error}", 2) from error
    if not isinstance(value, dict):
        raise fail(f"{option}: give a JSON object", 2)
    return value


def in_path(word: str) -> str:
    """A word as one segment of a URL's path."""
    return quote(word, safe="")
