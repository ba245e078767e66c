"""Twilio's words and what they mean to us.

Sources: Twilio's error and warning dictionary (twilio.com/docs/api/errors) and the message status values of its
OpenAPI description of 2026-04. Codes change without notice, says Twilio (changelog of 2024-07-10): what is not here
goes by the HTTP status, and `codes` in the settings overrules a line.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from providers.base import Evidence, Outcome
from providers.http_answers import OutcomeTable
from providers.receipts import negative_evidence

CODES: Final[OutcomeTable] = MappingProxyType(
    {
        # The number, for good.
        "21211": Outcome.INVALID_RECIPIENT,  # invalid `To`
        "21214": Outcome.INVALID_RECIPIENT,  # cannot be reached
        "21217": Outcome.INVALID_RECIPIENT,  # does not look like a number
        "21614": Outcome.INVALID_RECIPIENT,  # no mobile number
        "30005": Outcome.INVALID_RECIPIENT,  # unknown handset
        "21610": Outcome.OPTED_OUT,  # the person sent STOP to this sender
        # This message.
        "21602": Outcome.REJECTED,  # no body
        "21612": Outcome.REJECTED,  # no route from this sender to this number: another sender may reach it
        "21617": Outcome.REJECTED,  # longer than 1600 characters
        "21618": Outcome.REJECTED,
        "21619": Outcome.REJECTED,
        "21620": Outcome.REJECTED,
        "21623": Outcome.REJECTED,
        "21624": Outcome.REJECTED,  # validity period out of range
        "30004": Outcome.REJECTED,  # blocked, which may be the carrier's doing and pass
        "30006": Outcome.REJECTED,  # landline, or a carrier that cannot be reached: too little to condemn a number
        "30007": Outcome.REJECTED,  # filtered by the carrier
        "30011": Outcome.REJECTED,
        "30019": Outcome.REJECTED,  # too large
        # Our account, credentials or sender.
        "20003": Outcome.MISCONFIGURED,  # authentication
        "20005": Outcome.MISCONFIGURED,  # account not active
        "20008": Outcome.MISCONFIGURED,  # test credentials
        "21212": Outcome.MISCONFIGURED,  # invalid `From`
        "21408": Outcome.MISCONFIGURED,  # no permission for the country
        "21601": Outcome.MISCONFIGURED,
        "21603": Outcome.MISCONFIGURED,  # no sender
        "21606": Outcome.MISCONFIGURED,  # the sender is not ours
        "21608": Outcome.MISCONFIGURED,  # trial account
        "21609": Outcome.MISCONFIGURED,  # `StatusCallback` is no address that Twilio can reach
        "30002": Outcome.MISCONFIGURED,  # account suspended
        "30018": Outcome.MISCONFIGURED,
        "30024": Outcome.MISCONFIGURED,
        "30032": Outcome.MISCONFIGURED,  # toll-free number not verified
        "30033": Outcome.MISCONFIGURED,
        "30034": Outcome.MISCONFIGURED,  # sender not registered (A2P 10DLC)
        "30035": Outcome.MISCONFIGURED,
        # Too fast.
        "20429": Outcome.THROTTLED,
        "14107": Outcome.THROTTLED,
        "21611": Outcome.THROTTLED,  # the sender's queue is full: more than ten hours of messages
        "30001": Outcome.THROTTLED,
        "30022": Outcome.THROTTLED,
        "30023": Outcome.THROTTLED,
        "30027": Outcome.THROTTLED,  # the carrier's cap for the day
        # It may fare better another time.
        "30003": Outcome.TRANSIENT,  # the handset is off or out of reach
        "30008": Outcome.TRANSIENT,  # unknown
        "30017": Outcome.TRANSIENT,  # congestion
        "30036": Outcome.TRANSIENT,  # its validity ran out at Twilio
        "30410": Outcome.TRANSIENT,
    }
)
"""By error code: of an answer to a create, or of a callback."""

_TAKEN = Evidence.TAKEN
STATUSES: Final[Mapping[str, Evidence]] = MappingProxyType(
    {
        "accepted": _TAKEN,
        "scheduled": _TAKEN,
        "queued": _TAKEN,
        "sending": _TAKEN,
        "sent": _TAKEN,
        "delivered": Evidence.DELIVERED,
        "partially_delivered": Evidence.DELIVERED,
        "read": Evidence.DELIVERED,
        "undelivered": Evidence.UNDELIVERED,  # permanent by its code, see `evidence_of`
        "failed": Evidence.UNDELIVERED,
        "canceled": Evidence.UNDELIVERED,
    }
)
"""By message status. Of messages that come in (`receiving`, `received`) there is no evidence."""


def evidence_of(status: str, code: str | None, table: OutcomeTable) -> Evidence | None:
    """What a status says of the attempt; a negative one is permanent where its code is."""
    evidence = STATUSES.get(status.lower())
    return negative_evidence(code, table) if evidence is Evidence.UNDELIVERED else evidence
