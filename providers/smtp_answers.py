"""What an SMTP answer means to us: the tables, and the one function that reads them.

Sources: RFC 5321 section 4.2.3 (reply codes), RFC 3463 and the IANA registry of enhanced status codes, RFC 4954 (AUTH).
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from gateway.domain.values import Value
from providers.base import Outcome


class Stage(StrEnum):
    """Where in the conversation an answer came."""

    CONNECT = "connect"
    """Greeting, EHLO and STARTTLS: nothing of a message was said yet."""
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    """Up to the last octet before the final dot: a server that lost us here has taken nothing."""
    DOT = "dot"
    """From the final dot on the message may have been taken, whatever becomes of the answer."""


class Reply(Value, frozen=True, kw_only=True):
    """One reply of the server, its lines joined."""

    code: int
    enhanced: str | None = None
    """The enhanced status code, such as `5.1.1`; None where the server gives none."""
    text: str = ""

    @property
    def label(self) -> str:
        """The codes as they are kept: `550 5.1.1`."""
        return f"{self.code} {self.enhanced}" if self.enhanced else str(self.code)


class Answer(Value, frozen=True, kw_only=True):
    """What one conversation came to: the reply that decided it, or None where none came."""

    stage: Stage
    reply: Reply | None
    is_late: bool = False
    """It was given up because time ran out."""


_ENHANCED: Final = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)", re.ASCII)


def read_reply(code: int, lines: list[str]) -> Reply:
    """A reply from its code and the texts of its lines; the enhanced code, repeated on each line, is taken off."""
    shaped = _ENHANCED.match(lines[0]) if lines else None
    # A class that contradicts the code is a server's slip; the code is what RFC 5321 binds us to.
    if shaped is None or shaped[1][0] != f"{code:03}"[0]:
        return Reply(code=code, text=" ".join(lines))
    return Reply(code=code, enhanced=shaped[1], text=" ".join(_ENHANCED.sub("", line, count=1) for line in lines))


_BY_CODE: Final[Mapping[int, Outcome]] = MappingProxyType(
    {
        # These say so much that an enhanced code beside them adds nothing.
        421: Outcome.THROTTLED,  # closing the channel: too many connections, too fast, or going down
        454: Outcome.THROTTLED,  # temporary authentication failure: a busy back end
        530: Outcome.MISCONFIGURED,  # authentication or STARTTLS required
        534: Outcome.MISCONFIGURED,  # mechanism too weak
        535: Outcome.MISCONFIGURED,  # credentials refused
        538: Outcome.MISCONFIGURED,  # encryption required for the mechanism
    }
)

_BY_ENHANCED: Final[Mapping[str, Outcome]] = MappingProxyType(
    {
        # The longest prefix that fits decides.
        "5.1": Outcome.INVALID_RECIPIENT,
        "5.1.7": Outcome.MISCONFIGURED,  # the sender's address is malformed: 5.1, but not the recipient's fault
        "5.1.8": Outcome.MISCONFIGURED,  # the sender's domain does not exist
        "5.2.2": Outcome.TRANSIENT,  # mailbox full, which passes, though some servers call it permanent
        "5.7.8": Outcome.MISCONFIGURED,  # credentials refused
        "5.7.9": Outcome.MISCONFIGURED,  # mechanism too weak
        "5": Outcome.REJECTED,  # 5.3.4 too big, 5.6 content, 5.7 policy: this message, not the address
        "4": Outcome.TRANSIENT,
    }
)

_BY_CODE_ALONE: Final[Mapping[int, Outcome]] = MappingProxyType(
    {
        # Without an enhanced code. A bare 550 may be an unknown user or a policy: too little to condemn an address.
        500: Outcome.MISCONFIGURED,
        502: Outcome.MISCONFIGURED,
        503: Outcome.MISCONFIGURED,
        504: Outcome.MISCONFIGURED,
        555: Outcome.MISCONFIGURED,  # parameters not recognised, after we asked what is understood
    }
)


def classify(answer: Answer) -> Outcome:
    """What an answer means. No reply means `transient` before the final dot, since nothing can have been taken,
    and `unknown` after it."""
    reply = answer.reply
    if reply is None:
        return Outcome.UNKNOWN if answer.stage is Stage.DOT else Outcome.TRANSIENT
    if 200 <= reply.code < 300:
        return Outcome.SENT
    if reply.code in _BY_CODE:
        return _BY_CODE[reply.code]
    return _at_stage(_by_enhanced(reply.enhanced) if reply.enhanced else _by_code(reply.code), answer.stage)


def _at_stage(outcome: Outcome, stage: Stage) -> Outcome:
    if outcome is Outcome.TRANSIENT:
        return outcome
    if stage in (Stage.CONNECT, Stage.AUTH):
        # Refused for good before any message was named: another message would fare no better.
        return Outcome.MISCONFIGURED
    if stage is Stage.MAIL and outcome is Outcome.INVALID_RECIPIENT:
        # An address refused at MAIL is the sender's; the recipient was not named yet.
        return Outcome.MISCONFIGURED
    return outcome


def _by_enhanced(enhanced: str) -> Outcome:
    parts = enhanced.split(".")
    prefixes = (".".join(parts[:length]) for length in (3, 2, 1))
    return next(_BY_ENHANCED[prefix] for prefix in prefixes if prefix in _BY_ENHANCED)


def _by_code(code: int) -> Outcome:
    if code in _BY_CODE_ALONE:
        return _BY_CODE_ALONE[code]
    # Only 5xx refuses for good; what is no refusal at all comes from a server that lost the thread.
    return Outcome.REJECTED if code >= 500 else Outcome.TRANSIENT
