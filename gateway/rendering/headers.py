"""Header fields of an e-mail, safe by construction: one field in, one field out, whatever its text holds.

RFC 5322 (form and folding), RFC 2047 (words that are not ASCII), RFC 2231 (parameters), RFC 6532 (UTF-8 addresses).
"""

import re
from binascii import b2a_base64
from typing import Final
from urllib.parse import quote

from gateway.errors import RenderFailed

_FOLD: Final = "\r\n "
_LINE: Final = 76
_HARD_LINE: Final = 998
_WORD: Final = "=?utf-8?b?"
_WORD_FRAME: Final = len(_WORD) + 2

# Whatever any mail program or library takes for the end of a line or of a string.
_BREAKS: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}", re.ASCII)
_ATOMS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.ASCII)
_PRINTABLE: Final = re.compile(r"[!-~]+(?: [!-~]+)*", re.ASCII)
_ADDRESS: Final = re.compile(
    r"[^\s<>@,;:\"()\[\]\\\x00-\x20\x7f-\x9f\u2028\u2029]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?"
)
_MAILBOX: Final = re.compile(r"\s*(?:(?P<name>[^<>]*?)\s*<(?P<angled>[^<>]+)>|(?P<bare>[^<>\s]+))\s*")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')


def _checked(name: str, text: str) -> str:
    if _BREAKS.search(text):
        raise RenderFailed(f"the header {name} would hold a line break or control character")
    return text


def _words(text: str, room: int) -> list[str]:
    """The text as encoded words, none longer than 75 characters and no character split; the first fits in `room`."""
    data = text.encode()
    words: list[str] = []
    start = 0
    while start < len(data):
        end = min(len(data), start + max(room - _WORD_FRAME, 8) // 4 * 3)
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        words.append(f"{_WORD}{b2a_base64(data[start:end], newline=False).decode()}?=")
        start, room = end, 75
    return words


def _folded(text: str, used: int) -> str:
    """Plain words with line ends where a line would grow too long; the spaces stay, so nothing is lost."""
    if used + len(text) <= _LINE:
        return text
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        if line and used + len(line) + 1 + len(word) > _LINE:
            lines.append(line)
            line, used = word, 1
        else:
            line = f"{line} {word}" if line else word
    return _FOLD.join((*lines, line))


def text_header(name: str, text: str) -> str:
    """A field of free text, such as a subject: as it is where ASCII allows, else in encoded words.

    What looks like an encoded word is encoded itself, so that no reader decodes a line break out of it.
    """
    _checked(name, text)
    used = len(name) + 2
    plain = _PRINTABLE.fullmatch(text) and "=?" not in text
    if plain and max(map(len, text.split(" "))) < _LINE - used:
        return f"{name}: {_folded(text, used)}\r\n"
    return f"{name}: {_FOLD.join(_words(text, _LINE - used))}\r\n"


def raw_header(name: str, value: str) -> str:
    """A field whose value has a form of its own, such as `List-Unsubscribe`: printable ASCII, folded at spaces only."""
    if not _NAME.fullmatch(name) or not _PRINTABLE.fullmatch(value) or re.search(r"=\?[^?]*\?[bq]\?", value, re.I):
        raise RenderFailed(f"the header {name[:60]!r} has a name or value that cannot be sent")
    folded = _folded(value, len(name) + 2)
    if any(len(line) > _HARD_LINE for line in folded.split("\r\n")):
        raise RenderFailed(f"the header {name} is too long")
    return f"{name}: {folded}\r\n"


def _checked_address(name: str, address: str) -> str:
    if not _ADDRESS.fullmatch(address) or ".." in address.partition("@")[2] or len(address) > 254:
        raise RenderFailed(f"the header {name} would hold what is no address")
    return address


def split_mailbox(name: str, mailbox: str) -> tuple[str, str]:
    """Display name (may be empty) and address of `Name <address>` or `address`. Raises RenderFailed."""
    found = _MAILBOX.fullmatch(_checked(name, mailbox))
    if not found:
        raise RenderFailed(f"the header {name} would hold what is no mailbox")
    display = (found["name"] or "").strip()
    quoted = _QUOTED.fullmatch(display)
    if quoted:
        display = re.sub(r"\\(.)", r"\1", quoted[1])
    return display, _checked_address(name, found["angled"] or found["bare"])


def mailbox_header(name: str, mailbox: str) -> str:
    """A field with one person: the display name as atoms, quoted or in encoded words, and the address."""
    display, address = split_mailbox(name, mailbox)
    if not display:
        return f"{name}: {address}\r\n"
    used = len(name) + 2
    if _ATOMS.fullmatch(display) and "=?" not in display:
        shown = _folded(display, used)
    elif _PRINTABLE.fullmatch(display) and "=?" not in display and len(display) < _LINE - used - 2:
        shown = '"{}"'.format(display.replace("\\", "\\\\").replace('"', '\\"'))
    else:
        shown = _FOLD.join(_words(display, _LINE - used))
    last = shown.rpartition("\r\n")[2]
    indent = used if last == shown else 0
    gap = " " if indent + len(last) + len(address) + 3 <= _LINE else "\r\n "
    return f"{name}: {shown}{gap}<{address}>\r\n"


def parameter(name: str, value: str) -> str:
    """A parameter of a structured field, on a line of its own; RFC 2231 where it is long or not ASCII."""
    _checked(name, value)
    if re.fullmatch(r"[A-Za-z0-9 ._+-]{1,60}", value, re.ASCII):
        return f';\r\n {name}="{value}"'
    encoded = quote(value, safe="")
    if len(encoded) <= 55:
        return f";\r\n {name}*=utf-8''{encoded}"
    sections = re.findall(r"(?:%[0-9A-F]{2}|[^%]){1,18}", encoded)
    first, *rest = sections
    parts = [f"{name}*0*=utf-8''{first}", *(f"{name}*{number}*={section}" for number, section in enumerate(rest, 1))]
    return "".join(f";\r\n {part}" for part in parts)
