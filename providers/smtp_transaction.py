"""What is said to hand one message over: MAIL, RCPT, DATA, and the text as it goes over the wire."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from email_validator import EmailNotValidError, validate_email

from gateway.domain.values import Value
from providers.smtp_answers import Reply, Stage

_LONE_CR: Final = re.compile(rb"\r(?!\n)")
_LEADING_DOT: Final = re.compile(rb"\n\.")
_NO_XTEXT: Final = re.compile(r"[^!-*,-<>-~]")
_NO_UTF8_XTEXT: Final = re.compile(r"[^!-*,-<>-\[\]-~]")
_PLAIN_ADDRESS: Final = re.compile(r"[^\x00-\x20\x7f-\U0010ffff<>@\",:;\\()\[\]]+@[A-Za-z0-9.\-]+", re.ASCII)


def wire_address(address: str) -> str | None:
    """The address as it stands in MAIL and RCPT: the domain in ASCII, the local part as it is; None if it is none."""
    if _PLAIN_ADDRESS.fullmatch(address):
        return address
    try:
        checked = validate_email(address, check_deliverability=False, globally_deliverable=False, test_environment=True)
    except (EmailNotValidError, UnicodeError):
        return None
    return f"{checked.local_part}@{checked.ascii_domain}"


@lru_cache(maxsize=256)
def bare_address(sender: str) -> str | None:
    """The bare address in a sender such as `Name <a@b>`, as it stands in MAIL; None where there is none."""
    if not sender.isprintable():
        return None
    bare = sender.rpartition("<")[2].removesuffix(">") if sender.endswith(">") else sender
    return wire_address(bare.strip())


def with_whole_line_ends(mime: bytes) -> bytes:
    """The text with every line end CRLF.

    A bare CR or LF must not leave: servers that take one for a line end can be made to see a second message.
    """
    # As many of one as of the other, and each CR before an LF: none of either stands alone.
    if mime.count(b"\r") != mime.count(b"\n") or _LONE_CR.search(mime):
        return re.sub(rb"\r\n|\r|\n", b"\r\n", mime)
    return mime


def prepare_text(mime: bytes) -> bytes:
    """The text as it goes over the wire: every line end CRLF, and leading dots doubled (RFC 5321 section 4.5.2)."""
    mime = with_whole_line_ends(mime)
    text = mime.replace(b"\n.", b"\n..") if _LEADING_DOT.search(mime) else mime
    if text.startswith(b"."):
        text = b"." + text
    return text if text.endswith(b"\r\n") else text + b"\r\n"


class Letter(Value, frozen=True, kw_only=True):
    """One message, as SMTP knows it."""

    sender: str
    """The return path, as it stands in MAIL."""
    recipient: str
    mime: bytes
    envelope_id: str | None = None
    """Asks for reports on what becomes of it, which give this id back (DSN, RFC 3461); None asks for none."""

    @property
    def is_ascii_addressed(self) -> bool:
        """Whether both addresses can be said without SMTPUTF8."""
        return self.sender.isascii() and self.recipient.isascii()


class Command(NamedTuple):
    """A line to the server, and the stage that its reply belongs to."""

    stage: Stage
    line: bytes


_RESET: Final = Command(Stage.MAIL, b"RSET\r\n")
_DATA: Final = Command(Stage.DATA, b"DATA\r\n")


def foreseen_refusal(letter: Letter, offered: Mapping[str, str]) -> Reply | None:
    """The refusal that the server's EHLO promises, in its own codes, without asking for it."""
    limit = offered.get("size", "")
    if limit.isdecimal() and 0 < int(limit) < len(letter.mime):
        return Reply(code=552, enhanced="5.3.4", text="The message is larger than the server takes.")
    if not letter.is_ascii_addressed and "smtputf8" not in offered:
        return Reply(code=553, enhanced="5.6.7", text="The server takes no addresses beyond ASCII.")
    if not letter.mime.isascii() and "8bitmime" not in offered:
        return Reply(code=554, enhanced="5.6.3", text="The server takes 7-bit messages only.")
    return None


def commands(letter: Letter, offered: Mapping[str, str], *, reset: bool) -> list[Command]:
    """What announces a message; `reset` takes back first what was announced before and never followed."""
    mail = f"MAIL FROM:<{letter.sender}>"
    if "size" in offered:
        mail += f" SIZE={len(letter.mime)}"
    if not letter.mime.isascii():
        mail += " BODY=8BITMIME"
    if not letter.is_ascii_addressed:
        mail += " SMTPUTF8"
    rcpt = f"RCPT TO:<{letter.recipient}>"
    if letter.envelope_id is not None and "dsn" in offered:
        # Headers only: what a report is to return lies in the store, and may hold a secret.
        mail += f" RET=HDRS ENVID={_xtext(letter.envelope_id)}"
        rcpt += f" NOTIFY=SUCCESS,FAILURE,DELAY ORCPT={_original(letter.recipient)}"
    announced = [
        Command(Stage.MAIL, f"{mail}\r\n".encode()),
        Command(Stage.RCPT, f"{rcpt}\r\n".encode()),
        _DATA,
    ]
    return [_RESET, *announced] if reset else announced


def _xtext(text: str) -> str:
    """RFC 3461 section 4: printable ASCII as it is, all else and what would end or escape it in hex."""
    return _NO_XTEXT.sub(lambda found: f"+{ord(found[0]):02X}", text)


def _original(address: str) -> str:
    """The address with its type, as a report gives it back; beyond ASCII by RFC 6533 section 3."""
    if address.isascii():
        return f"rfc822;{_xtext(address)}"
    return "utf-8;" + _NO_UTF8_XTEXT.sub(lambda found: f"\\x{{{ord(found[0]):X}}}", address)
