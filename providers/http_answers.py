"""What an HTTP answer means before a provider's own codes are looked at, and the wait that it asks for.

Sources: RFC 9110 section 15 (status codes) and 10.2.3 (Retry-After), RFC 6585 section 4 (429).
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Any, Final

from providers.base import Fitness, Outcome, ProbeResult, SendResult, plain_text, redacted
from providers.http import Answer, NoAnswer

_LONGEST_CODE: Final = 200
OutcomeTable = Mapping[str, Outcome]
"""A provider's own codes, as text, and what each means."""

_BY_STATUS: Final[Mapping[int, Outcome]] = MappingProxyType(
    {
        303: Outcome.UNKNOWN,  # see other: the server may have done what was asked (RFC 9110 section 15.4.4)
        401: Outcome.MISCONFIGURED,
        402: Outcome.MISCONFIGURED,
        403: Outcome.MISCONFIGURED,
        404: Outcome.MISCONFIGURED,  # no such account or resource: `base_url` or the account's id is wrong
        405: Outcome.MISCONFIGURED,
        407: Outcome.MISCONFIGURED,
        408: Outcome.TRANSIENT,  # the server waited for us in vain, and took nothing
        421: Outcome.TRANSIENT,
        425: Outcome.TRANSIENT,
        429: Outcome.THROTTLED,
    }
)


def classify(answer: Answer, code: str | None, table: OutcomeTable) -> Outcome:
    """What an answer means that is no acceptance; `code` is the provider's own, None where it says none of its own.

    A 5xx without it may come from something between us and the provider, which then took the message or did not.
    """
    if code is not None and code in table:
        return table[code]
    if answer.status in _BY_STATUS:
        return _BY_STATUS[answer.status]
    if 400 <= answer.status < 500:
        return Outcome.REJECTED
    if 300 <= answer.status < 400:
        return Outcome.MISCONFIGURED
    if answer.status >= 500 and code is not None:
        return Outcome.TRANSIENT
    # A success that does not read as one of this provider's, too: somebody took it, and nobody knows what for.
    return Outcome.UNKNOWN


def refusal(
    answer: Answer, code: str | None, words: str, table: OutcomeTable, *hidden: str, now: datetime
) -> SendResult:
    """The result of an answer that is no acceptance; no `hidden` address or secret is in it."""
    told = plain_text(code, _LONGEST_CODE)
    return SendResult(
        outcome=classify(answer, code, table),
        code=str(answer.status) if told in (None, str(answer.status)) else f"{answer.status} {told}",
        detail=redacted(words, *hidden) or None,
        retry_after_seconds=retry_after_seconds(answer, now),
    )


def retry_after_seconds(answer: Answer, now: datetime) -> float | None:
    """The wait that an answer asks for, in seconds or until a date; None where it asks for none that can be read."""
    asked = answer.headers.get("retry-after", "").strip()
    if asked.isascii() and asked.isdigit() and len(asked) < 10:
        return float(asked)
    until = _http_date(asked)
    if until is None:
        return None
    # By the server's own clock where it shows it: ours may differ.
    return max((until - (_http_date(answer.headers.get("date", "")) or now)).total_seconds(), 0.0)


def read_json(answer: Answer) -> Any:
    """The body as JSON; None where it is none."""
    if answer.body is None:
        return None
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def read_object(answer: Answer) -> Mapping[str, Any]:
    """The body as a JSON object; empty where it is none."""
    document = read_json(answer)
    return document if isinstance(document, dict) else {}


def probed(answer: Answer | NoAnswer) -> ProbeResult:
    """What the answer to a harmless request says of whether messages would be taken."""
    if isinstance(answer, NoAnswer):
        fitness = Fitness.MISCONFIGURED if answer.outcome is Outcome.MISCONFIGURED else Fitness.DOWN
        return ProbeResult(fitness=fitness, detail=answer.detail)
    if 200 <= answer.status < 300:
        return ProbeResult(fitness=Fitness.OK)
    down = answer.status >= 500 or classify(answer, None, {}) in (Outcome.THROTTLED, Outcome.TRANSIENT)
    words = ": it refuses our credentials, or what they may do" if answer.status in (401, 403) else ""
    return ProbeResult(fitness=Fitness.DOWN if down else Fitness.MISCONFIGURED, detail=f"HTTP {answer.status}{words}")


def _http_date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
