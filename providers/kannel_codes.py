"""Kannel's words and what they mean to us.

Sources: the answers of smsbox 1.4.5 to sendsms; the user guide's chapter on delivery reports; for what a carrier says,
`command_status` and `message_state` of SMPP 3.4 (sections 5.1.3 and 5.2.28).
"""

from types import MappingProxyType
from typing import Final

from providers.base import Evidence, Outcome
from providers.http_answers import OutcomeTable
from providers.receipts import negative_evidence

NO_RECEIVER: Final = "Missing receiver"
"""How its answer to a message for nobody begins."""

CODES: Final[OutcomeTable] = MappingProxyType(
    {
        # How an answer begins.
        "Authorization failed": Outcome.MISCONFIGURED,
        "Sender missing": Outcome.MISCONFIGURED,
        "DLR-": Outcome.MISCONFIGURED,
        "Invalid content-type": Outcome.MISCONFIGURED,
        "Unsupported content-type": Outcome.MISCONFIGURED,
        "Not routable": Outcome.REJECTED,  # no carrier here takes this number: another provider may
        "Number(s) has/have been denied": Outcome.REJECTED,  # by Kannel's own lists, which may change
        "Charset or body misformed": Outcome.REJECTED,
        "Temporal failure": Outcome.TRANSIENT,
        # What a carrier refused with (`NACK/0x0000000b/…`).
        "0x0000000b": Outcome.INVALID_RECIPIENT,  # invalid destination address
        "0x00000001": Outcome.REJECTED,  # message length
        "0x00000061": Outcome.REJECTED,  # scheduled delivery time
        "0x00000062": Outcome.REJECTED,  # validity period
        "0x0000000a": Outcome.MISCONFIGURED,  # source address
        "0x0000000d": Outcome.MISCONFIGURED,  # bind failed
        "0x0000000e": Outcome.MISCONFIGURED,  # password
        "0x00000048": Outcome.MISCONFIGURED,  # type of number of the source
        "0x00000050": Outcome.MISCONFIGURED,  # type of number of the destination
        "0x00000014": Outcome.THROTTLED,  # queue full
        "0x00000058": Outcome.THROTTLED,
        "0x00000008": Outcome.TRANSIENT,  # system error
        "0x00000045": Outcome.TRANSIENT,  # submit failed
    }
)

STATUSES: Final = MappingProxyType(
    {
        "1": Evidence.DELIVERED,
        "2": Evidence.UNDELIVERED,
        "34": Evidence.UNDELIVERED,  # its validity ran out
        "4": Evidence.TAKEN,  # the carrier goes on trying
        "8": Evidence.TAKEN,  # the carrier has it
        "16": Evidence.UNDELIVERED,  # the carrier did not take it; permanent by its code
    }
)
"""By `%d`. Others tell nothing."""


def evidence_of(status: str, code: str | None, table: OutcomeTable) -> Evidence | None:
    """What a receipt says of the attempt."""
    evidence = STATUSES.get(status)
    return negative_evidence(code, table) if evidence is Evidence.UNDELIVERED else evidence
