"""Every refusal as RFC 9457 `application/problem+json`, with a stable `code` for programs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import ClassVar, Final

from aiohttp import web

from gateway.domain.encoding import encode
from gateway.domain.recipients import JsonValue
from gateway.errors import (
    Conflict,
    ContentError,
    FieldProblem,
    GatewayError,
    InvalidRequest,
    NotFound,
    Overloaded,
    RateLimited,
    Unavailable,
)

CONTENT_TYPE: Final = "application/problem+json"
_REPORTED_PROBLEMS: Final = 100
"""Field problems shown at most; a hostile body must not buy an answer larger than itself."""

STATUSES: Final[Mapping[str, int]] = {
    "malformed_json": 400,
    "bad_request": 400,
    "unauthenticated": 401,
    "bad_signature": 401,
    "missing_scope": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "body_time_out": 408,
    "conflict": 409,
    "too_late": 409,
    "in_flight": 409,
    "not_failed": 409,
    "not_sent": 409,
    "expired": 409,
    "secrets_dropped": 409,
    "too_many_endpoints": 409,
    "endpoint_disabled": 409,
    "too_large": 413,
    "unsupported_media_type": 415,
    "expectation_failed": 417,
    "invalid_request": 422,
    "idempotency_mismatch": 422,
    "render_failed": 422,
    "rate_limited": 429,
    "internal": 500,
    "draining": 503,
    "busy": 503,
    "overloaded": 503,
    "unavailable": 503,
}
"""Each `code` that the API answers with, and its status."""


class Unauthenticated(GatewayError):
    """No key, or one that opens nothing: which of the two is never told."""

    code = "unauthenticated"


class MissingScope(GatewayError):
    """The key is good, but not for this."""

    code = "missing_scope"


class RequestRefused(GatewayError):
    """The HTTP layer itself refuses, before any use case is asked."""

    code: ClassVar[str] = "bad_request"

    def __init__(self, code: str, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.refusal_code = code
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One refusal, ready to be answered."""

    status: int
    code: str
    detail: str
    errors: Sequence[FieldProblem] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    def members(self) -> dict[str, JsonValue]:
        """The members of the JSON object: RFC 9457's own, `code`, and `errors` where fields are wrong."""
        members: dict[str, JsonValue] = {
            "type": f"urn:heliograph:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        if self.errors:
            members["errors"] = [
                {"pointer": error.pointer, "code": error.code, "message": error.message}
                for error in self.errors[:_REPORTED_PROBLEMS]
            ]
        return members

    def body(self, request_id: str) -> bytes:
        """Its JSON; `instance` names the request, for who reads our logs."""
        return encode({**self.members(), "instance": f"urn:heliograph:request:{request_id}"})

    def answer(self, request_id: str) -> web.Response:
        """The response."""
        body = self.body(request_id)
        return web.Response(body=body, status=self.status, headers=self.headers, content_type=CONTENT_TYPE)


_ABSENT: Final = "There is no such thing here."


def problem_of(error: GatewayError) -> Problem:
    """What an error of ours means over HTTP; a defect of ours or of a text shows no internals."""
    match error:
        case InvalidRequest():
            return Problem(status=422, code=error.code, detail=error.message, errors=error.problems)
        case Conflict():
            return Problem(status=409, code=error.conflict_code, detail=error.message)
        case NotFound():
            # One text for all: what is another service's must not differ by a word from what is not there.
            return Problem(status=404, code=error.code, detail=_ABSENT)
        case ContentError():
            return Problem(status=422, code=error.code, detail="The template cannot be rendered as it stands.")
    code = error.refusal_code if isinstance(error, RequestRefused) else error.code
    if code not in STATUSES:
        return internal_problem()
    return Problem(status=STATUSES[code], code=code, detail=error.message, headers=_headers_of(error))


def _headers_of(error: GatewayError) -> Mapping[str, str]:
    match error:
        case RateLimited() | Overloaded() | Unavailable() | RequestRefused():
            return _retry_after(error.retry_after_seconds)
        case Unauthenticated():
            # RFC 6750 §3: the challenge names the scheme.
            return {"WWW-Authenticate": 'Bearer realm="heliograph"'}
        case _:
            return {}


def internal_problem() -> Problem:
    """A defect of ours, told without internals."""
    return Problem(
        status=500, code="internal", detail="Something went wrong here; the request id finds it in our logs."
    )


_HTTP_CODES: Final[Mapping[int, str]] = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    408: "body_time_out",
    413: "too_large",
    415: "unsupported_media_type",
    417: "expectation_failed",
}
_HTTP_DETAILS: Final[Mapping[int, str]] = {
    404: _ABSENT,
    405: "This resource does not take that method; Allow names those it takes.",
    413: "The body is larger than the gateway takes.",
    417: "The only expectation met here is 100-continue.",
}


def problem_of_http(error: web.HTTPException) -> Problem:
    """What the web server itself refuses (no such route, wrong method, body too large), in our words."""
    allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    code = _HTTP_CODES.get(error.status, "bad_request")
    return Problem(
        status=error.status, code=code, detail=_HTTP_DETAILS.get(error.status, f"{error.reason}."), headers=allow
    )


def _retry_after(seconds: float | None) -> dict[str, str]:
    """RFC 9110 §10.2.3: whole seconds, never zero."""
    return {} if seconds is None else {"Retry-After": str(max(1, math.ceil(seconds)))}
