"""Twilio's list of messages, looked through for the one that a lost call may have made (Messages resource, "Read").

A create carries nothing of ours that the list gives back: number, sender, time and text have to do.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

from providers.base import Candidate, LostCall, SmsContent, plain_text, reads_like
from providers.http_answers import OutcomeTable
from providers.twilio_webhook import ATTEMPT, DELIVERY, receipt_of

PAGE: Final = 200
"""So many of the newest messages to one number are looked through."""
_SLACK: Final = timedelta(minutes=5)
"""By which our clock and Twilio's may differ."""
_LONGEST_TEXT: Final = 4_000


def read_list(
    told: Mapping[str, Any], call: LostCall, sender: str | None, codes: OutcomeTable
) -> Sequence[Candidate] | None:
    """The messages of one page that the call may have made; None where the page is not all that there is, or cannot
    be read. A `sender` of None may be any.
    """
    listed = told.get("messages")
    if not isinstance(listed, list) or not isinstance(call.content, SmsContent):
        return None
    found: list[Candidate] = []
    earliest = call.ended
    for one in listed:
        made = _instant(one.get("date_created")) if isinstance(one, dict) else None
        if made is None:
            return None
        earliest = min(earliest, made)
        if _may_be(one, call, sender, made):
            candidate = _candidate(one, call, call.content.text, codes)
            if candidate is None:
                return None
            found.append(candidate)
    if told.get("next_page_uri") and earliest > call.began - _SLACK:
        return None
    return found


def _may_be(one: Mapping[str, Any], call: LostCall, sender: str | None, made: datetime) -> bool:
    in_time = call.began - _SLACK <= made <= call.ended + _SLACK
    ours = str(one.get("direction", "")).startswith("outbound") and one.get("to") == call.to
    return in_time and ours and (sender is None or one.get("from") in (sender, None))


def _candidate(one: Mapping[str, Any], call: LostCall, text: str, codes: OutcomeTable) -> Candidate | None:
    sid, status = plain_text(one.get("sid")), plain_text(one.get("status"))
    if sid is None or status is None:
        return None
    code = one.get("error_code")
    receipt = receipt_of(
        sid,
        status,
        code=None if code is None else str(code),
        words=plain_text(one.get("error_message")),
        codes=codes,
        address={DELIVERY: call.delivery_id, ATTEMPT: call.attempt_id},
    )
    body = plain_text(one.get("body"), _LONGEST_TEXT)
    return Candidate(receipt=receipt, reads_the_same=body is not None and reads_like(body, text))


def _instant(text: object) -> datetime | None:
    """`Sun, 22 Nov 2026 05:40:00 +0000` (RFC 2822)."""
    try:
        at = parsedate_to_datetime(str(text))
    except (ValueError, OverflowError):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
