"""What a negative receipt means by the provider's code: whether it is for good, and whether for the address."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from providers.base import Evidence, Outcome, SuppressionReason
from providers.http_answers import OutcomeTable

_PERMANENT: Final = frozenset({Outcome.INVALID_RECIPIENT, Outcome.OPTED_OUT, Outcome.REJECTED, Outcome.MISCONFIGURED})
_SUPPRESSED: Final[Mapping[Outcome, SuppressionReason]] = MappingProxyType(
    {Outcome.INVALID_RECIPIENT: SuppressionReason.BOUNCE, Outcome.OPTED_OUT: SuppressionReason.STOP}
)


def negative_evidence(code: str | None, table: OutcomeTable) -> Evidence:
    """What is said of the attempt: a refusal for good where the code is one."""
    return Evidence.BOUNCED if code is not None and table.get(code) in _PERMANENT else Evidence.UNDELIVERED


def suppression_of(evidence: Evidence | None, code: str | None, table: OutcomeTable) -> SuppressionReason | None:
    """Why the address is not to be written to again, after a permanent refusal of the address itself."""
    if evidence is not Evidence.BOUNCED or code is None:
        return None
    return _SUPPRESSED.get(table.get(code, Outcome.UNKNOWN))
