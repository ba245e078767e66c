"""What a check-up found, one line for each thing that was looked at."""

from enum import StrEnum

from gateway.domain.values import Value


class Verdict(StrEnum):
    """How it stands."""

    OK = "ok"
    WARNING = "warning"
    """It works, and not as well as it should; or it cannot be looked at."""
    ERROR = "error"
    """Messages will not go, or not arrive."""


class Finding(Value, frozen=True, kw_only=True):
    """One thing that was looked at."""

    subject: str
    """A provider's configured name, a domain, or a setting."""
    check: str
    """`provider`, `spf`, `dkim`, `dmarc`, `bounces` or `imprint`."""
    verdict: Verdict
    detail: str = ""
    """A sentence for people; no secret is in it."""
