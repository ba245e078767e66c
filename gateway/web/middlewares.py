"""The one layer around every handler: request id, trace context, problems, security headers, counting.

One layer, not five: on the way of an accepted message each costs as much as reading its body.
"""

import time
from contextvars import ContextVar
from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from gateway.errors import GatewayError
from gateway.web.admission import Admission
from gateway.web.metrics import HttpMetrics
from gateway.web.problems import RequestRefused, internal_problem, problem_of, problem_of_http
from gateway.web.requests import RequestIds, trace_context
from gateway.web.responses import STANDING_HEADERS, JsonResponse

log: Final = structlog.get_logger(__name__)
_request_id: Final[ContextVar[str]] = ContextVar(f"{structlog.contextvars.STRUCTLOG_KEY_PREFIX}request_id")
"""Stands in every line that is logged on behalf of the request; the requests of one connection share a context."""


class Guard:
    """What stands around every handler of one app."""

    def __init__(self, admission: Admission, metrics: HttpMetrics, *, is_https: bool) -> None:
        """`is_https` says that the public address is, so that browsers may be told to insist."""
        self._admission = admission
        self._metrics = metrics
        self.ids = RequestIds()
        self.standing = dict(STANDING_HEADERS)
        """Headers of every answer."""
        if is_https:
            self.standing["Strict-Transport-Security"] = "max-age=31536000"
        self._standing_lines = "".join(f"{name}: {value}\r\n" for name, value in self.standing.items())

    def middleware(self) -> Middleware:
        """Stands around whatever the router finds, or does not."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            resource = request.match_info.route.resource
            return await self.answer(request, handler, None if resource is None else resource.canonical)

        return guard

    async def answer(self, request: web.Request, handler: Handler, route: str | None) -> web.StreamResponse:
        """What the handler answers, or what its failure means; `route` is the path's pattern, None for no route."""
        started = time.perf_counter()
        request_id = self.ids.of(request)
        _request_id.set(request_id)
        admission = self._admission
        admission.under_way += 1
        try:
            admission.admit(request.method, route)
            response = await handler(request)
        except Exception as error:
            response = _answer_to(error, request.method, request_id)
        finally:
            admission.under_way -= 1
        headers = response.headers
        headers["X-Request-Id"] = request_id
        if type(response) is JsonResponse:
            response.standing = self._standing_lines
        else:
            for name, value in self.standing.items():
                headers.setdefault(name, value)
        if (trace := trace_context(request)) is not None:
            headers["traceparent"] = trace
        self._metrics.count(route, request.method, response.status, time.perf_counter() - started)
        return response


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
