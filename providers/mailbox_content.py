"""What the mailbox keeps of each channel, shaped as the API shows content, so that a page can show it to people."""

import email
import re
from collections.abc import Iterator
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from typing import Final

from gateway.domain.recipients import JsonValue
from providers.base import DeliveryId, PushContent, PushDevice, SmsContent, masked

_DELIVERY_ID: Final = re.compile(r"<?(dlv_[0-9a-hjkmnp-tv-z]{26})(?:@[^<>\s]*)?>?", re.ASCII)


def sms_json(content: SmsContent) -> dict[str, JsonValue]:
    """A text message and what it costs."""
    return {
        "text": content.text,
        "encoding": content.encoding,
        "units": content.units,
        "segments": content.segments,
        "locale": content.locale,
    }


def push_json(content: PushContent, devices: tuple[PushDevice, ...]) -> dict[str, JsonValue]:
    """A notification and the devices that would show it; their tokens are credentials and stay masked."""
    return {
        "title": content.title,
        "body": content.body,
        "action": content.action,
        "image": content.image,
        "badge": content.badge,
        "collapse_key": content.collapse_key,
        "ttl": content.ttl_seconds,
        "bytes": content.bytes,
        "locale": content.locale,
        "devices": [{"platform": device.platform.value, "address": masked(device.address)} for device in devices],
    }


class ReceivedMail:
    """An e-mail as its reader's program takes it apart; whatever comes is read, however broken it is."""

    # The older of Python's two parsers on purpose: the newer one raises on some broken headers.
    def __init__(self, raw: bytes) -> None:
        self._mail = email.message_from_bytes(raw)

    @property
    def delivery_id(self) -> DeliveryId | None:
        """The delivery that a mail of ours belongs to, by X-Heliograph-Delivery or the Message-ID."""
        for name in ("X-Heliograph-Delivery", "Message-ID"):
            found = _DELIVERY_ID.fullmatch(self.header(name).strip())
            if found:
                return DeliveryId(found[1])
        return None

    def header(self, name: str) -> str:
        """The first header of that name, decoded; empty where there is none."""
        return next((value for header, value in self._headers() if header.lower() == name.lower()), "")

    def as_json(self) -> dict[str, JsonValue]:
        """Subject, both bodies, headers and attachments; what the mail lacks is empty."""
        headers: dict[str, list[str]] = {}
        for name, value in self._headers():
            headers.setdefault(name, []).append(value)
        return {
            "subject": self.header("Subject"),
            "html": self._body("text/html"),
            "text": self._body("text/plain"),
            "headers": {name: ", ".join(values) for name, values in headers.items()},
            "locale": self.header("Content-Language") or None,
            "attachments": [_attachment_json(part) for part in self._leaves() if _is_attached(part)],
        }

    def _headers(self) -> Iterator[tuple[str, str]]:
        for name, value in self._mail.items():
            yield name, _decoded(str(value))

    def _leaves(self) -> Iterator[Message]:
        return (part for part in self._mail.walk() if not part.is_multipart())

    def _body(self, content_type: str) -> str:
        for part in self._leaves():
            if part.get_content_type() == content_type and not _is_attached(part):
                return _text(part)
        return ""


def _decoded(value: str) -> str:
    """A header's words, unfolded, with encoded-words read; those that cannot be read stay as they are."""
    unfolded = re.sub(r"\r?\n[ \t]*", " ", value)
    try:
        return whole(str(make_header(decode_header(unfolded))))
    except (HeaderParseError, LookupError, ValueError):
        return whole(unfolded)


def whole(text: str) -> str:
    """The text with raw octets that no character set explained shown as such: a lone surrogate cannot be kept."""
    return text.encode("utf-8", "replace").decode()


def _text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    octets = payload if isinstance(payload, bytes) else b""
    try:
        return whole(octets.decode(part.get_content_charset() or "utf-8", "replace"))
    except LookupError:
        return octets.decode("utf-8", "replace")


def _is_attached(part: Message) -> bool:
    return part.get_content_disposition() is not None or part.get_content_maintype() != "text"


def _attachment_json(part: Message) -> JsonValue:
    payload = part.get_payload(decode=True)
    return {
        "filename": _decoded(part.get_filename() or ""),
        "content_type": part.get_content_type(),
        "bytes": len(payload) if isinstance(payload, bytes) else 0,
        "inline_id": _decoded(str(part.get("Content-ID", ""))).strip("<> ") or None,
    }
