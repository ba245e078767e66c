"""What lies in the mailbox, made ready to be shown: titles, excerpts, links, and images put in place."""

import base64
import email
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Final

from gateway.delivery.presentation import JsonObject
from gateway.domain.instants import rfc3339
from gateway.domain.recipients import JsonValue
from gateway.localization.locales import UnknownLocale, direction, parse_locale
from gateway.ports import MailboxItem

_TITLE: Final = 60
_EXCERPT: Final = 140
_MOST_LINKS: Final = 40


def letter_json(item: MailboxItem) -> JsonObject:
    """One item for the list and the head of its page."""
    content = item.content
    text = str(content.get("text") or content.get("body") or "")
    title = str(content.get("subject") or content.get("title") or "")
    if not title:
        # A text message has none: its beginning stands for it.
        title, text = _excerpt(text, _TITLE), ""
    locale = _known_locale(content)
    return {
        "id": item.delivery_id,
        "channel": item.channel.value,
        "sender": item.sender,
        "to": item.to,
        "title": title,
        "excerpt": _excerpt(text, _EXCERPT),
        "locale": locale or "",
        "direction": direction(parse_locale(locale)) if locale else "auto",
        "received_at": rfc3339(item.received_at),
    }


def _known_locale(content: Mapping[str, JsonValue]) -> str | None:
    tag = content.get("locale")
    try:
        return tag if isinstance(tag, str) and parse_locale(tag) else None
    except UnknownLocale:
        return None


def _excerpt(text: str, length: int) -> str:
    words = " ".join(text[: length * 4].split())
    return words if len(words) <= length else f"{words[:length].rstrip()}…"


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, None] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if tag == "a" and name == "href" and value and value.lower().startswith(("http://", "https://")):
                self.found[value] = None


def links_of(html: str) -> list[str]:
    """The web addresses that an e-mail links to, each once, in their order: the frame itself opens none."""
    parser = _Links()
    parser.feed(html)
    return list(parser.found)[:_MOST_LINKS]


_CID: Final = re.compile(r"""(?<=["'(])cid:([^"')\s]{1,200})""")
_SHOWN_IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


def with_inline_images(html: str, raw: bytes | None) -> str:
    """The HTML with each `cid:` image of the same e-mail as a data URL, since a frame may load nothing."""
    if raw is None or "cid:" not in html:
        return html
    images: dict[str, str] = {}
    for part in email.message_from_bytes(raw).walk():
        name = str(part.get("Content-ID", "")).strip("<> \r\n")
        payload = part.get_payload(decode=True)
        if name and part.get_content_type() in _SHOWN_IMAGES and isinstance(payload, bytes):
            images[name] = f"data:{part.get_content_type()};base64,{base64.b64encode(payload).decode()}"
    return _CID.sub(lambda found: images.get(found[1], found[0]), html)
