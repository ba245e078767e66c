"""One caller's connection: its requests one after another, and an answer even to what is no HTTP."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from aiohttp import StreamReader, web
from aiohttp.http import RawRequestMessage, StreamWriter
from aiohttp.web_protocol import ERROR, RequestHandler, _ErrInfo

from gateway.web.doorway import Doorway, whole_post
from gateway.web.problems import Problem, problem_of_http
from gateway.web.requests import RequestIds, trace_context
from gateway.web.responses import STANDING_HEADERS


class Connection(RequestHandler, asyncio.BufferedProtocol):
    """One connection; what the web server refuses by itself is answered in the same shape as every other refusal.

    It reads into a buffer that stays: asyncio makes a new one of 256 KiB for each piece that a plain protocol gets,
    which takes 16 µs of the hundred or two that a request takes in all.
    """

    __slots__ = ("_doorway", "_incoming", "_is_between")

    def __init__(self, manager: web.Server, incoming: memoryview, doorway: Doorway | None, **options: Any) -> None:
        """`incoming` may be shared by all connections of one loop: a piece is copied before the next is read."""
        super().__init__(manager, **options)
        self._incoming = incoming
        self._doorway = doorway
        self._is_between = True
        """Whether all that came was whole requests, as far as it was looked at: only then is the next piece one."""

    def get_buffer(self, _sizehint: int) -> memoryview:
        """Where the next piece goes."""
        return self._incoming

    def buffer_updated(self, received: int) -> None:
        """Take a piece that came."""
        data = self._incoming[:received].tobytes()
        if self._doorway is None or not self._doorway.is_narrow:
            self._is_between = False
            self.data_received(data)
        else:
            self._pass_door(self._doorway, data)

    def _pass_door(self, doorway: Doorway, data: bytes) -> None:
        """Take a piece while the process has too much to do: a post that stands alone may be refused unread."""
        is_waiting = self._waiter is not None and not self._messages
        if is_waiting and self._is_between and (answer := doorway.refuse(data)) is not None:
            assert isinstance(self.transport, asyncio.WriteTransport)
            self.transport.write(answer)
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
            return
        self.data_received(data)
        self._is_between = (
            is_waiting and len(self._messages) == 1 and self._messages[0][1].is_eof() and whole_post(data) is not None
        )

    async def start(self) -> None:
        """Answer one request after another, until the connection ends.

        What this replaces makes a task for each request, so that no context variable of one is seen by the next.
        Ours are set anew by every request; a task, and two more turns of the event loop, cost as much as reading
        and checking its body.
        """
        while not self._force_close:
            if not self._messages:
                await self._arrival()
                if self._force_close:
                    # Its caller, or the server, was gone before we turned to it.
                    break
            message, payload = self._messages.popleft()
            if self._parser is not None:
                self._parser.message_consumed()
            if self._buffer_paused and len(self._messages) <= self._msg_queue_resume_size:
                self._resume_reading_if_drained()
            try:
                response, is_gone = await self._answer(message, payload)
                self._keepalive = bool(response.keep_alive)
                goes_on = self._keepalive and not is_gone and (payload.is_eof() or await self._drop_rest(payload))
            except Exception as error:
                # Nothing that a caller sends should come here: what fails in a handler is answered around it.
                self.log_exception("Unhandled exception", exc_info=error)
                goes_on = False
            except BaseException:
                self.force_close()
                raise
            if not goes_on or self._close or self._force_close:
                break
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
            if self._keepalive_handle is None:
                self._keepalive_handle = self._loop.call_at(self._next_keepalive_close_time, self._process_keepalive)
        if not self._force_close:
            self._task_handler = None
            if self.transport is not None:
                self.transport.close()

    async def _arrival(self) -> None:
        """Wait for a request's head."""
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _answer(
        self, message: RawRequestMessage | _ErrInfo, payload: StreamReader
    ) -> Coroutine[Any, Any, tuple[web.StreamResponse, bool]]:
        """Have a request answered: with what, and whether its caller is gone."""
        manager, factory, handler = self._manager, self._request_factory, self._request_handler
        task = self._task_handler
        assert manager is not None
        assert factory is not None
        assert handler is not None
        assert task is not None
        manager.requests_count += 1
        if isinstance(message, _ErrInfo):
            handler, message = self._make_error_handler(message), ERROR
        request = factory(message, payload, self, StreamWriter(self, self._loop), task)
        return self._handle_request(request, None, handler)

    async def _drop_rest(self, payload: StreamReader) -> bool:
        """Read what a handler left of a body; whether it came to its end before patience did."""
        try:
            async with asyncio.timeout(self._lingering_time):
                while not payload.is_eof():
                    await payload.readany()
        except (TimeoutError, ConnectionError):
            return False
        return True

    def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> Coroutine[Any, Any, tuple[web.StreamResponse, bool]]:
        """Send an answer. One that never reached the middleware, as to an unknown `Expect`, is put in our words."""
        if isinstance(resp, Exception) and isinstance(resp, web.HTTPException):
            resp = _refuse(request, problem_of_http(resp))
        return super().finish_response(request, resp, start_time)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """A problem instead of plain text; the connection is closed."""
        if status >= 500 or request.writer.output_size > 0:
            # Logs what is worth it, and raises where a part of another answer is out already.
            super().handle_error(request, status, exc, message)
        code = "bad_request" if status < 500 else "internal"
        return _refuse(request, Problem(status=status, code=code, detail="This could not be read as an HTTP request."))


def _refuse(request: web.BaseRequest, problem: Problem) -> web.Response:
    """Answer beside the middleware, with the headers that it would give; the connection is closed."""
    request_id = RequestIds().of(request)
    response = problem.answer(request_id)
    response.headers.update({**STANDING_HEADERS, "X-Request-Id": request_id})
    if (trace := trace_context(request)) is not None:
        response.headers["traceparent"] = trace
    response.force_close()
    return response
