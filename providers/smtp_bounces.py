"""What mail to a return path tells of its delivery: reports by RFC 3464, and by heuristics what is none.

Reports are rare among what comes back in the wild: `flufl.bounce` knows the forms of some dozens of servers. Neither
is believed about who is meant, which the return path says; an address is condemned only where the mail names it.

Sources: RFC 3464 section 2.3 (fields of a report), RFC 6533 (those beyond ASCII), RFC 3463 and the IANA registry of
enhanced status codes.
"""

import hashlib
import logging
import re
from collections.abc import Iterator, Mapping
from email import message_from_bytes, message_from_string
from email.message import Message
from types import MappingProxyType
from typing import Final

from flufl.bounce import all_failures

from gateway.domain.values import Value
from providers.base import AttemptId, DeliveryId, Evidence, Receipt, SuppressionReason, plain_text, redacted

_READ_BYTES: Final = 128 * 1024
"""A report comes before what it returns: beyond this there is none."""
_READ_LINES: Final = 2_000
"""Each may cost as much as the mail is deep, and each empty one may be a group of a report."""
_GUESSED_CHARACTERS: Final = 32 * 1024
_GUESSED_LINE: Final = 400
"""Heuristics search lines by patterns that take quadratic time on long ones."""
_MOST_RECIPIENTS: Final = 20
"""Of one report; ours have one, and an alias makes it some."""
_MOST_BLANK_LINES: Final = 200
"""Between the groups of a report that had to be decoded first."""
_BEYOND_ASCII: Final = "message/global-delivery-status"
_REPORTS: Final = frozenset({"message/delivery-status", _BEYOND_ASCII})
_ENHANCED: Final = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])", re.ASCII)
_BLANK_LINE: Final = re.compile(r"\r?\n[ \t]*\r?\n")
_HEX: Final = re.compile(r"\\x\{([0-9A-F]{2,5})\}", re.IGNORECASE)
_BROKEN: Final = (LookupError, ValueError, TypeError, AttributeError, RecursionError)
"""What the standard library and flufl.bounce raise for mail that is no mail."""

ACTIONS: Final[Mapping[str, Evidence]] = MappingProxyType(
    {
        "delivered": Evidence.DELIVERED,
        "relayed": Evidence.TAKEN,  # handed to a server that gives no reports: nothing more will be told
        "expanded": Evidence.TAKEN,  # handed on to the members of an alias
        "delayed": Evidence.TAKEN,  # still tried
        "failed": Evidence.BOUNCED,
    }
)
_PASSING: Final = ("4.", "5.2.2")
"""Failures that are none for good: retries spent, and a full mailbox."""
_CONDEMNED: Final = "5.1."
"""There is no such mailbox or domain."""
_SENDERS_FAULT: Final = ("5.1.7", "5.1.8")
"""5.1, but of the sender's address."""


class _Told(Value, frozen=True, kw_only=True):
    """What a mail says of one recipient."""

    action: str
    code: str = ""
    """The enhanced status code; empty where there is none."""
    words: str = ""
    of: tuple[str, ...] = ()
    """Whom it names as the one that was written to in the end, plain."""


def read_bounce(mail: bytes, delivery_id: DeliveryId, address: str | None) -> tuple[Receipt, ...]:
    """What the mail tells of this delivery to this address, which may be forgotten; nothing for an out-of-office.

    It never raises, and may take a good part of a second: not to be run in an event loop.
    """
    head = b"".join(mail[:_READ_BYTES].splitlines(keepends=True)[:_READ_LINES])
    try:
        parsed = message_from_bytes(head)
        envelope_id, told = _reported(parsed)
        if not told:
            told = _guessed(parsed, address)
        message_id = str(parsed.get("Message-ID", ""))
    except _BROKEN:
        return ()
    seed = message_id.strip() or hashlib.sha256(head).hexdigest()
    return tuple(
        _receipt(one, delivery_id, envelope_id, address, f"{delivery_id} {seed} {number}")
        for number, one in enumerate(told)
    )


def _receipt(told: _Told, delivery_id: DeliveryId, envelope_id: str, address: str | None, seed: str) -> Receipt:
    evidence = ACTIONS.get(told.action)
    if evidence is Evidence.BOUNCED and told.code.startswith(_PASSING):
        evidence = Evidence.UNDELIVERED
    named, _, attempt_id = envelope_id.partition(".")
    identity = f"{seed} {told.action} {told.code}".encode("utf-8", "surrogateescape")
    return Receipt(
        event_id=hashlib.sha256(identity).hexdigest(),
        delivery_id=delivery_id,
        attempt_id=AttemptId(attempt_id) if named == delivery_id and attempt_id else None,
        status=told.action,
        code=told.code or None,
        detail=plain_text(redacted(told.words, address or "", *told.of)),
        evidence=evidence,
        suppress=SuppressionReason.BOUNCE if _condemns(told, address) else None,
    )


def _condemns(told: _Told, address: str | None) -> bool:
    """Whether it says that this very address does not exist; one that hands mail on to another does."""
    is_theirs = told.code.startswith(_CONDEMNED) and told.code not in _SENDERS_FAULT
    return told.action == "failed" and is_theirs and address is not None and _plain(address) in told.of


def _reported(mail: Message) -> tuple[str, list[_Told]]:
    """The id that our envelope had, and what each group of fields says, by RFC 3464."""
    for part in mail.walk():
        if part.get_content_type() not in _REPORTS:
            continue
        groups = list(_groups(part))
        told = [_of_group(group) for group in groups[1 : _MOST_RECIPIENTS + 1] if group.get("action")]
        return groups[0].get("original-envelope-id", "") if groups else "", told
    return "", []


def _groups(part: Message) -> Iterator[dict[str, str]]:
    """The fields of each group, the first value of a name; of a group that holds any."""
    for group in _taken_apart(part):
        fields: dict[str, str] = {}
        for name, value in group.items():
            fields.setdefault(name.lower(), " ".join(str(value).split()))
        if fields:
            yield fields


def _taken_apart(part: Message) -> list[Message]:
    """The groups of a report, each as a message that has headers only."""
    groups = [one for one in part.get_payload() if isinstance(one, Message)]
    if part.get_content_type() != _BEYOND_ASCII or not groups:
        return groups
    # RFC 6533's type. The standard library takes it for a mail in a mail, and decodes nothing of it.
    encoded = Message()
    encoded["Content-Transfer-Encoding"] = str(part.get("Content-Transfer-Encoding", "8bit"))
    encoded.set_payload(groups[0].as_bytes().lstrip().decode("ascii", "surrogateescape"))
    decoded = encoded.get_payload(decode=True)
    text = decoded.decode("utf-8", "replace") if isinstance(decoded, bytes) else ""
    return [message_from_string(one) for one in _BLANK_LINE.split(text, _MOST_BLANK_LINES)]


def _of_group(group: Mapping[str, str]) -> _Told:
    action = group["action"].split()[0].rstrip(";,").lower()[:32]
    words = group.get("diagnostic-code", "").partition(";")[2].strip()
    return _Told(
        # opensmtpd's word.
        action="failed" if action == "error" else action,
        code=_code(group.get("status", ""), words),
        words=words,
        of=tuple(filter(None, (_recipient(group.get("final-recipient", "")),))),
    )


def _code(status: str, words: str) -> str:
    """The status; where that says no more than its class, what the server said who refused."""
    found = _ENHANCED.search(status)
    if found is not None and (found[2], found[3]) != ("0", "0"):
        return found[0]
    said = _ENHANCED.search(words)
    if said is not None and (found is None or said[1] == found[1]):
        return said[0]
    return "" if found is None else found[0]


def _recipient(value: str) -> str:
    """The address in `rfc822; a@b`, plain."""
    kind, separator, address = value.partition(";")
    if kind.strip().lower() == "utf-8":
        address = _HEX.sub(lambda found: chr(int(found[1], 16)), address)
    return _plain(address if separator else kind)


def _plain(address: str) -> str:
    """An address as it is compared: in small letters, its domain in ASCII, without brackets."""
    local, _, domain = address.strip().strip("<>").lower().rpartition("@")
    try:
        return f"{local}@{domain.encode('idna').decode()}" if local else ""
    except UnicodeError:
        return f"{local}@{domain}"


def _guessed(mail: Message, address: str | None) -> list[_Told]:
    """What heuristics make of a mail that is no report: at most one thing, of whomever it names."""
    # It tells of each detector that it tries.
    logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)
    text = _shorten(mail)
    passing, lasting = all_failures(mail)
    named = {_plain(one.decode("ascii", "replace")) for one in (*passing, *lasting)} - {""}
    if not named:
        return []
    ours = {_plain(address)} & named if address is not None else set()
    if not lasting:
        return [_Told(action="delayed", of=tuple(sorted(ours)))]
    said = next((line for line in text.splitlines() if _ENHANCED.search(line)), "")
    return [_Told(action="failed", code=_code("", said), words=said, of=tuple(sorted(ours)))]


def _shorten(mail: Message) -> str:
    """Cut the texts of a mail to lines and lengths that can be searched; answers what is left."""
    left, texts = _GUESSED_CHARACTERS, []
    for part in mail.walk():
        if part.is_multipart():
            continue
        raw = part.get_payload(decode=True) if part.get_content_maintype() == "text" else b""
        whole = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else ""
        text = "\n".join(line[:_GUESSED_LINE] for line in whole[:left].splitlines())
        left -= len(text)
        del part["Content-Transfer-Encoding"]
        part.set_payload(text)
        texts.append(text)
    return "\n".join(texts)
