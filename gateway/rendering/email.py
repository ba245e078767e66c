"""E-mails as bytes: MIME put together by hand from parts that are encoded once, fifty times cheaper than EmailMessage.

mixed                      where files are attached
  alternative              where there is HTML
    text/plain
    related                where the HTML shows images that travel along
      text/html
      images
  files
"""

import hashlib
import re
from binascii import b2a_base64, b2a_qp
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from gateway.domain.messages import Attachment, EmailContent
from gateway.errors import RenderFailed
from gateway.rendering.headers import mailbox_header, parameter, raw_header, text_header
from gateway.rendering.lines import one_line

_ASCII: Final = bytes(range(128))
_LONGEST_LINE: Final = 988
_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}", re.ASCII)
_CONTENT_ID: Final = re.compile(r"[A-Za-z0-9._@+-]{1,200}", re.ASCII)
_LANGUAGE: Final = re.compile(r"[A-Za-z0-9-]{1,35}", re.ASCII)
_MESSAGE_ID: Final = re.compile(r"<[A-Za-z0-9._+-]+@[A-Za-z0-9._-]+>", re.ASCII)
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _encoded(data: bytes) -> tuple[str, bytes]:
    """The transfer encoding of a text whose lines end in LF, and the text in it with CRLF: readable where that is
    cheap, base64 elsewhere."""
    # Quoted-printable has no `=_` in it, so no text can pretend to be a boundary.
    if data.isascii() and b"=_" not in data and b"\0" not in data and _has_short_lines(data):
        return "7bit", data.replace(b"\n", b"\r\n")
    if len(data.translate(None, _ASCII)) * 6 < len(data) + data.count(b"\n"):
        return "quoted-printable", b"".join(map(_quoted_line, data.splitlines(keepends=True)))
    return "base64", _base64(data.replace(b"\n", b"\r\n"))


def _has_short_lines(data: bytes) -> bool:
    return max(map(len, data.split(b"\n"))) <= _LONGEST_LINE


@lru_cache(maxsize=2_048)
def _quoted_line(line: bytes) -> bytes:
    """A line in quoted-printable; remembered, since most lines of a template are the same in every e-mail."""
    return b2a_qp(line.replace(b"\n", b"\r\n"), istext=True)


def _base64(data: bytes) -> bytes:
    encoded = b2a_base64(data, newline=False)
    return b"\r\n".join([encoded[start : start + 76] for start in range(0, len(encoded), 76)])


def _text_part(subtype: str, text: str) -> bytes:
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    encoding, encoded = _encoded(text.encode())
    head = f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return head.encode("ascii") + encoded


def _file_part(attachment: Attachment, *, inline: bool) -> bytes:
    kind = attachment.content_type.lower()
    if not _TYPE.fullmatch(kind):
        raise RenderFailed("an attachment's content type cannot be sent")
    if kind.startswith(("message/", "multipart/")):
        kind = "application/octet-stream"  # RFC 2045 §6.4: those may not be in base64
    head = f"Content-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n"
    if inline:
        if not _CONTENT_ID.fullmatch(attachment.inline_id or ""):
            raise RenderFailed("an inline image's id cannot be sent")
        head += f"Content-ID: <{attachment.inline_id}>\r\n"
    disposition = "inline" if inline else "attachment"
    head += f"Content-Disposition: {disposition}{parameter('filename', attachment.filename)}\r\n\r\n"
    return head.encode("ascii") + _base64(attachment.content)


def _multipart(subtype: str, parts: Sequence[bytes], boundary: str) -> bytes:
    if len(parts) == 1:
        return parts[0]
    border = f"--{boundary}".encode("ascii")
    head = f'Content-Type: multipart/{subtype};\r\n boundary="{boundary}"\r\n\r\n'.encode("ascii")
    body = b"\r\n".join([piece for part in parts for piece in (border, part)])
    return head + body + b"\r\n" + border + b"--\r\n"


def _body(content: EmailContent, attachments: Sequence[Attachment], seed: str) -> bytes:
    token = hashlib.sha256(seed.encode()).hexdigest()[:24]
    images = [attachment for attachment in attachments if attachment.inline_id is not None and content.html]
    files = [attachment for attachment in attachments if attachment not in images]
    alternatives = [_text_part("plain", content.text)]
    if content.html:
        shown = [_text_part("html", content.html), *(_file_part(image, inline=True) for image in images)]
        alternatives.append(_multipart("related", shown, f"=_r{token}"))
    body = _multipart("alternative", alternatives, f"=_a{token}")
    return _multipart("mixed", [body, *(_file_part(file, inline=False) for file in files)], f"=_m{token}")


_FIXED: Final = frozenset({"Auto-Submitted", "List-Unsubscribe-Post"})
"""Headers of few values."""


@lru_cache(maxsize=64)
def _fixed_header(name: str, value: str) -> str:
    return raw_header(name, value)


@lru_cache(maxsize=1_024)
def _from_header(sender: str) -> str:
    return mailbox_header("From", sender)


def format_date(at: datetime) -> str:
    """An aware instant as RFC 5322 writes it, in UTC."""
    utc = at.astimezone(UTC)
    day, month = _DAYS[utc.weekday()], _MONTHS[utc.month - 1]
    clock = f"{utc.hour:02}:{utc.minute:02}:{utc.second:02}"
    return f"{day}, {utc.day:02} {month} {utc.year:04} {clock} +0000"


def build_mime(
    content: EmailContent,
    *,
    sender: str,
    to: str,
    message_id: str,
    date: datetime,
    boundary_seed: str,
    attachments: Sequence[Attachment] = (),
) -> bytes:
    """The whole e-mail, lines ended by CRLF, the same bytes for the same arguments.

    `sender` is a mailbox (`Name <address>` or an address), `to` likewise. Non-ASCII stands in headers only where an
    address itself needs it (SMTPUTF8). Raises RenderFailed for what could break out of a header.
    """
    if not _LANGUAGE.fullmatch(content.locale) or not _MESSAGE_ID.fullmatch(message_id):
        raise RenderFailed("the language or the Message-ID cannot stand in a header")
    head = "".join(
        (
            _from_header(sender),
            mailbox_header("To", to),
            text_header("Subject", one_line(content.subject)),
            f"Date: {format_date(date)}\r\nMessage-ID: {message_id}\r\n",
            *[
                _fixed_header(name, value) if name in _FIXED else raw_header(name, value)
                for name, value in content.headers
            ],
            f"Content-Language: {content.locale}\r\nMIME-Version: 1.0\r\n",
        )
    )
    return head.encode() + _body(content, attachments, boundary_seed)
