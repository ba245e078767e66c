"""Notifications: the payload of each push service, and a body cut to what the smallest of them carries.

Limits: FCM 4096 bytes (firebase.google.com, "FCM message types"); APNs 4096 bytes (Apple, "Generating a remote
notification"); Web Push 4096 bytes of record, of which encryption takes 103 (RFC 8188 §2.1, RFC 8291 §4).
"""

import json
from itertools import accumulate
from typing import Any, Final, assert_never

import regex

from gateway.domain.messages import PushContent
from gateway.domain.recipients import PushPlatform
from gateway.domain.values import replace
from gateway.errors import RenderFailed
from gateway.rendering import bidi

LIMITS: Final = {PushPlatform.FCM: 4096, PushPlatform.APNS: 4096, PushPlatform.WEBPUSH: 3993}
"""Bytes of payload that each service takes."""

_ELLIPSIS: Final = "…"
_MAX_TITLE: Final = 1024
_GRAPHEME: Final = regex.compile(r"\X")


def payload(content: PushContent, platform: PushPlatform) -> bytes:
    """What goes to the device over this service, as UTF-8 JSON; letters stand for themselves."""
    return json.dumps(_fields(content, platform), ensure_ascii=False, separators=(",", ":")).encode()


def _fields(content: PushContent, platform: PushPlatform) -> dict[str, Any]:
    fields: dict[str, Any]
    match platform:
        case PushPlatform.FCM:
            notification = {"title": content.title, "body": content.body, "image": content.image}
            fields = {"notification": _given(notification), "data": _given({"url": content.action})}
        case PushPlatform.APNS:
            alert = {"title": content.title, "body": content.body}
            # An image is fetched by the app's own extension, which runs only for mutable content.
            mutable = 1 if content.image else None
            aps = {"alert": alert, "badge": content.badge, "mutable-content": mutable}
            fields = {"aps": _given(aps), "url": content.action, "image": content.image}
        case PushPlatform.WEBPUSH:
            fields = {
                "title": content.title,
                "body": content.body,
                "url": content.action,
                "image": content.image,
                "badge": content.badge,
                "tag": content.collapse_key,
                "lang": content.locale,
            }
        case _:
            assert_never(platform)
    return _given(fields)


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None and value != {}}


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
