"""The one layer around every handler: request id, trace context, problems, security headers, counting.

One layer, not five: on the way of an accepted message each costs as much as reading its body.
"""

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
from gateway.web.requests import RequestIds, trace_context

STANDING_HEADERS: Final[Mapping[str, str]] = {
    "Server": "heliograph",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
"""What an answer carries unless its handler said otherwise; pages bring their own policy."""


log: Final = structlog.get_logger(__name__)


def make_guard(admission: Admission, metrics: HttpMetrics, *, is_https: bool) -> Middleware:
    """The middleware; `is_https` says that the public address is, so that browsers may be told to insist."""
    ids = RequestIds()
    standing = dict(STANDING_HEADERS)
    if is_https:
        standing["Strict-Transport-Security"] = "max-age=31536000"

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        request_id = ids.of(request)
        structlog.contextvars.bind_contextvars(request_id=request_id)
        admission.under_way += 1
        try:
            admission.admit(request.method, request.path)
            response = await handler(request)
        except Exception as error:
            response = _answer_to(error, request.method, request_id)
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


def _answer_to(error: Exception, method: str, request_id: str) -> web.Response:
    match error:
        case web.HTTPException() if error.status < 400:
            return web.Response(status=error.status, headers={"Location": error.headers.get("Location", "/")})
        case web.HTTPException():
            return problem_of_http(error).answer(request_id)
        case GatewayError():
            problem = problem_of(error)
            if problem.status >= 500 and not isinstance(error, RequestRefused):
                log.warning("http.refused", code=problem.code, method=method, detail=problem.detail)
            return problem.answer(request_id)
        case _:
            # The one place where the unforeseen becomes an answer; the log has what the caller must not see.
            log.exception("http.failed", method=method)
            return internal_problem().answer(request_id)
