"""The door of a process that has too much to do: new posts are refused unread, for a tenth of what reading them costs.

Whoever is refused by the handlers was read, checked and looked up first. When five times as many posts come as can be
taken, that work is what keeps the rest from being done.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Final, Protocol

from aiohttp import web

from gateway.delivery.accepting.admission import SHED_RETRY_SECONDS
from gateway.web.admission import Admission, busy
from gateway.web.metrics import HttpMetrics
from gateway.web.problems import CONTENT_TYPE, Problem, RequestRefused, problem_of
from gateway.web.requests import RequestIds, sound_request_id, sound_trace
from gateway.web.responses import http_date

_ONE: Final = b"POST /v1/messages HTTP/1.1\r\n"
_MANY: Final = b"POST /v1/messages/batch HTTP/1.1\r\n"
_ROUTES: Final = {_ONE: "/v1/messages", _MANY: "/v1/messages/batch"}
_FIELDS: Final = re.compile(
    rb"\r\n(content-length|transfer-encoding|expect|connection|traceparent|x-request-id):[ \t]*([^\r\n]*)",
    re.IGNORECASE,
)
_UNUSUAL: Final = frozenset({b"transfer-encoding", b"expect", b"connection"})
_READ_A_SECOND: Final = 20.0
"""So many posts are read all the same while the backlog is too old: repeats get their answer of then, and few callers
are all treated exactly."""
_ESCAPE: Final = b"\\u"
_HIGH: Final = b'"high"'
DOORWAY: Final = web.AppKey["Doorway"]("doorway")


class Backlog(Protocol):
    """Whether what waits is too old."""

    @property
    def is_shedding(self) -> bool:
        """Whether ordinary messages are refused now."""


class Doorway:
    """One for each app."""

    def __init__(
        self,
        admission: Admission,
        backlog: Backlog,
        metrics: HttpMetrics,
        ids: RequestIds,
        *,
        standing: Mapping[str, str],
        urgent: Callable[[], Iterable[str]],
    ) -> None:
        """`urgent` names the templates that go before all others: posts that may mean one of them are always read."""
        self._admission = admission
        self._backlog = backlog
        self._metrics = metrics
        self._ids = ids
        self._busy, self._shed = _Refusal(problem_of(busy()), standing), _Refusal(_SHED, standing)
        self._urgent = urgent
        self._allowed = _READ_A_SECOND
        self._counted_at = 0.0

    @property
    def is_narrow(self) -> bool:
        """Whether a post might be refused unread."""
        return self._admission.is_full or self._backlog.is_shedding

    def refuse(self, data: bytes) -> bytes | None:
        """The answer to one whole request that is refused unread; None for what has to be read."""
        started = time.perf_counter()
        fields = whole_post(data)
        if fields is None or self._admission.is_draining:
            return None
        if self._admission.is_full:
            refusal = self._busy
        elif data.startswith(_ONE) and self._is_ordinary(data) and not self._may_be_read(started):
            refusal = self._shed
        else:
            return None
        given, trace = fields.get(b"x-request-id"), fields.get(b"traceparent")
        request_id = (given is not None and sound_request_id(given.decode("latin-1"))) or self._ids.new()
        answer = refusal.answer(request_id, None if trace is None else sound_trace(trace.decode("latin-1")))
        route = _ROUTES[_ONE if data.startswith(_ONE) else _MANY]
        self._metrics.count(route, "POST", refusal.status, time.perf_counter() - started)
        return answer

    def _is_ordinary(self, data: bytes) -> bool:
        """Whether no reading of the body could make it an urgent message."""
        if _HIGH in data or _ESCAPE in data:
            return False
        return not any(f'"{name}"'.encode() in data for name in self._urgent())

    def _may_be_read(self, now: float) -> bool:
        self._allowed = min(self._allowed + (now - self._counted_at) * _READ_A_SECOND, _READ_A_SECOND)
        self._counted_at = now
        if self._allowed < 1:
            return False
        self._allowed -= 1
        return True


_SHED: Final = problem_of(
    RequestRefused("overloaded", "What is due waits too long already.", retry_after_seconds=SHED_RETRY_SECONDS)
)
_ID: Final = "{request_id}"


class _Refusal:
    """One problem, put together but for what differs from request to request."""

    def __init__(self, problem: Problem, standing: Mapping[str, str]) -> None:
        self.status = problem.status
        self._body, _, self._rest = problem.body(_ID).decode().partition(_ID)
        self._fixed_length = len((self._body + self._rest).encode())
        lines = {"Content-Type": CONTENT_TYPE, **problem.headers, **standing}
        fields = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._head = f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}\r\n{fields}"

    def answer(self, request_id: str, trace: str | None) -> bytes:
        """The whole answer, as it goes over the wire."""
        traced = "" if trace is None else f"traceparent: {trace}\r\n"
        return (
            f"{self._head}Date: {http_date(int(time.time()))}\r\nX-Request-Id: {request_id}\r\n{traced}"
            f"Content-Length: {self._fixed_length + len(request_id)}\r\n\r\n{self._body}{request_id}{self._rest}"
        ).encode()


def whole_post(data: bytes) -> Mapping[bytes, bytes] | None:
    """The header fields that matter here, if these bytes are one whole post of new messages and nothing else."""
    if not data.startswith((_ONE, _MANY)):
        return None
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    found = _FIELDS.findall(data, 0, end)
    fields = {name.lower(): value.strip() for name, value in found}
    length = fields.get(b"content-length", b"")
    if len(fields) != len(found) or not _UNUSUAL.isdisjoint(fields) or not length.isdigit():
        return None
    return fields if end + 4 + int(length) == len(data) else None
