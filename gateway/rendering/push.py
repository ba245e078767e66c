"""Notifications: a body cut to what the smallest of the push services' payloads carries."""

from itertools import accumulate
from typing import Final

import regex

from gateway.domain.messages import PushContent
from gateway.domain.push_payloads import LIMITS, payload
from gateway.domain.recipients import PushPlatform
from gateway.domain.values import replace
from gateway.errors import RenderFailed
from gateway.rendering import bidi

_ELLIPSIS: Final = "…"
_MAX_TITLE: Final = 1024
_GRAPHEME: Final = regex.compile(r"\X")


def _sizes(content: PushContent) -> dict[PushPlatform, int]:
    return {platform: len(payload(content, platform)) for platform in PushPlatform}


def _fits(content: PushContent) -> bool:
    return all(size <= LIMITS[platform] for platform, size in _sizes(content).items())


def _cut(graphemes: list[str], kept: int) -> str:
    """The first `kept` graphemes and an ellipsis, every isolate closed."""
    return bidi.close_isolates("".join(graphemes[:kept]).rstrip()) + _ELLIPSIS


def _longest(content: PushContent) -> PushContent | None:
    """With as much of the body as fits; None if even an empty one does not."""
    graphemes = _GRAPHEME.findall(content.body)
    low, high = -1, len(graphemes) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if _fits(replace(content, body=_cut(graphemes, middle))):
            low = middle
        else:
            high = middle - 1
    return None if low < 0 else replace(content, body=_cut(graphemes, low))


def _short_title(title: str) -> str:
    if len(title.encode()) <= _MAX_TITLE:
        return title
    graphemes = _GRAPHEME.findall(title)
    sizes = accumulate(len(grapheme.encode()) for grapheme in graphemes)
    return _cut(graphemes, sum(size <= _MAX_TITLE for size in sizes))


def fit(content: PushContent) -> PushContent:
    """The notification as every service carries it, with `bytes` set; a body too long ends in `…`.

    Raises RenderFailed when the rest (action, image) alone is too large.
    """
    fitted: PushContent | None = replace(content, title=_short_title(content.title))
    assert fitted is not None
    if not _fits(fitted):
        fitted = _longest(fitted)
    if fitted is None:
        raise RenderFailed("the notification is too large even without a body")
    return replace(fitted, bytes=max(_sizes(fitted).values()))
