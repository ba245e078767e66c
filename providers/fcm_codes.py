"""FCM's words and what they mean to us.

Source: the error codes of the HTTP v1 API (firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode).
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from providers.base import Outcome, plain_text
from providers.http_answers import OutcomeTable

_DEVICE: Final = "INVALID_ARGUMENT/token"
_PAYLOAD: Final = "INVALID_ARGUMENT/payload"

CODES: Final[OutcomeTable] = MappingProxyType(
    {
        "UNREGISTERED": Outcome.INVALID_RECIPIENT,
        # One word of theirs for two things; `error_code` tells them apart.
        _DEVICE: Outcome.INVALID_RECIPIENT,
        _PAYLOAD: Outcome.REJECTED,
        "SENDER_ID_MISMATCH": Outcome.MISCONFIGURED,  # the token belongs to another project
        "THIRD_PARTY_AUTH_ERROR": Outcome.MISCONFIGURED,  # the project's own APNs or VAPID credentials
        "QUOTA_EXCEEDED": Outcome.THROTTLED,
        "UNAVAILABLE": Outcome.TRANSIENT,
        "INTERNAL": Outcome.TRANSIENT,
    }
)


def error_code(error: Mapping[str, Any]) -> str | None:
    """The most telling code in an error of Google's; None where there is none.

    A complaint about the token comes with an FcmError alone, or names its field; one about anything else has a
    google.rpc.BadRequest.
    """
    details = _details(error)
    own = next((plain_text(one.get("errorCode")) for one in details if "errorCode" in one), None)
    code = own or plain_text(error.get("status"))
    if code != "INVALID_ARGUMENT":
        return code
    violations = [
        one.get("fieldViolations") for one in details if str(one.get("@type")).endswith("google.rpc.BadRequest")
    ]
    if not violations:
        return _DEVICE if own is not None else _PAYLOAD
    fields = [
        one.get("field") for each in violations if isinstance(each, list) for one in each if isinstance(one, dict)
    ]
    return _DEVICE if "message.token" in fields else _PAYLOAD


def _details(error: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    details = error.get("details")
    return [one for one in details if isinstance(one, dict)] if isinstance(details, list) else []
