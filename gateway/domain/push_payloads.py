"""What a notification is on the wire: the payload of each push service, where it is measured and where it is sent.

Limits: FCM 4096 bytes (firebase.google.com, "FCM message types"); APNs 4096 bytes (Apple, "Generating a remote
notification"); Web Push 4096 bytes of record, of which encryption takes 103 (RFC 8188 §2.1, RFC 8291 §4).
"""

import json
from typing import Any, Final, assert_never

from gateway.domain.messages import PushContent
from gateway.domain.recipients import PushPlatform

LIMITS: Final = {PushPlatform.FCM: 4096, PushPlatform.APNS: 4096, PushPlatform.WEBPUSH: 3993}
"""Bytes of payload that each service takes."""


def payload(content: PushContent, platform: PushPlatform) -> bytes:
    """What goes to the device over this service, as UTF-8 JSON; letters stand for themselves."""
    return json.dumps(payload_fields(content, platform), ensure_ascii=False, separators=(",", ":")).encode()


def payload_fields(content: PushContent, platform: PushPlatform) -> dict[str, Any]:
    """The same as values, for services that want it inside a message of theirs."""
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
