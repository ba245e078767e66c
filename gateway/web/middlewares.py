"""The one layer around every handler: request id, trace context, problems, security headers, counting.

One layer, not five: on the way of an accepted message each costs as much as reading its body.
"""

import itertools
import re
import secrets
import time
from collections.abc import Mapping
from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from gateway.errors import GatewayError
from gateway.web.admission import Admission
from gateway.web.metrics import HttpMetrics
from gateway.web.problems import RequestRefused, internal_problem, problem_of, problem_of_http

REQUEST_ID: Final = web.RequestKey("request_id", str)
"""Names the request in every answer and log line."""

_GIVEN_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)
_TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
"""What an answer carries unless its handler said otherwise; pages bring their own policy."""


log: Final = structlog.get_logger(__name__)


def trace_context(request: web.Request) -> str | None:
    """The caller's W3C `traceparent`, if it is a sound one of version 00; passed on as it is."""
    given = request.headers.get("traceparent", "")
    return given if _TRACEPARENT.fullmatch(given) else None


class RequestIds:
    """Ids that no other process or start makes: a random prefix and a count."""

    def __init__(self) -> None:
        self._prefix = f"req_{secrets.token_hex(6)}"
        self._count = itertools.count(1)

    def of(self, request: web.Request) -> str:
        """The caller's own `X-Request-Id` if it is harmless, else a new one."""
        given = request.headers.get("X-Request-Id")
        if given is not None and _GIVEN_ID.fullmatch(given):
            return given
        return f"{self._prefix}-{next(self._count)}"


def make_guard(admission: Admission, metrics: HttpMetrics, *, is_https: bool) -> Middleware:
    """The middleware; `is_https` says that the public address is, so that browsers may be told to insist."""
    ids = RequestIds()
    standing = dict(_SECURITY_HEADERS)
    if is_https:
        standing["Strict-Transport-Security"] = "max-age=31536000"

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        request_id = request[REQUEST_ID] = ids.of(request)
        structlog.contextvars.bind_contextvars(request_id=request_id)
        admission.under_way += 1
        try:
            admission.admit(request.method, request.path)
            response = await _answer(request, handler)
        except RequestRefused as refused:
            response = problem_of(refused).answer(request_id)
        finally:
            admission.under_way -= 1
        headers = response.headers
        headers["X-Request-Id"] = request_id
        for name, value in standing.items():
            headers.setdefault(name, value)
        if (trace := trace_context(request)) is not None:
            headers["traceparent"] = trace
        metrics.count(request, response.status, time.perf_counter() - started)
        return response

    return guard


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    request_id = request[REQUEST_ID]
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            return web.Response(status=error.status, headers={"Location": error.headers.get("Location", "/")})
        return problem_of_http(error).answer(request_id)
    except GatewayError as error:
        problem = problem_of(error)
        if problem.status >= 500:
            log.warning("http.refused", code=problem.code, method=request.method, detail=problem.detail)
        return problem.answer(request_id)
    except Exception:
        # The one place where the unforeseen becomes an answer; the log has what the caller must not see.
        log.exception("http.failed", method=request.method)
        return internal_problem().answer(request_id)
