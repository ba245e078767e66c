"""Durations as people write them in settings and templates."""

import re
from datetime import timedelta
from typing import Final

_UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION: Final = re.compile(r"(\d{1,9})(ms|s|m|h|d|w)")


def parse_duration(text: str) -> timedelta:
    """Read `500ms`, `5s`, `15m`, `2h`, `3d` or `1w`. Raises ValueError that names the forms."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no duration: write a whole number and a unit, such as 5s, 15m, 2h, 3d or 1w")
    try:
        return timedelta(seconds=int(match[1]) * _UNITS[match[2]])
    except OverflowError as error:
        raise ValueError(f"{text!r} is longer than anybody can wait") from error


def format_duration(duration: timedelta) -> str:
    """The same spelling, in the largest unit that divides it: `90s`, `2h`, `3d`."""
    milliseconds = round(duration / timedelta(milliseconds=1))
    for unit in ("w", "d", "h", "m", "s"):
        size = round(_UNITS[unit] * 1000)
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"
