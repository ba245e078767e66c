"""What names a request: its id, ours or the caller's, and the trace that it belongs to."""

import itertools
import re
import secrets
from typing import Final

from aiohttp import web

_GIVEN_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)
_TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)


def trace_context(request: web.BaseRequest) -> str | None:
    """The caller's W3C `traceparent`, if it is a sound one of version 00; passed on as it is."""
    given = request.headers.get("traceparent")
    return None if given is None else sound_trace(given)


def sound_trace(given: str) -> str | None:
    """A `traceparent` that may be passed on; None for what is none."""
    return given if _TRACEPARENT.fullmatch(given) else None


def sound_request_id(given: str) -> str | None:
    """A caller's own `X-Request-Id`, if it is harmless."""
    return given if _GIVEN_ID.fullmatch(given) else None


class RequestIds:
    """Ids that no other process or start makes: a random prefix and a count."""

    def __init__(self) -> None:
        self._prefix = f"req_{secrets.token_hex(6)}"
        self._count = itertools.count(1)

    def of(self, request: web.BaseRequest) -> str:
        """The caller's own `X-Request-Id` if it is harmless, else a new one."""
        given = request.headers.get("X-Request-Id")
        return (None if given is None else sound_request_id(given)) or self.new()

    def new(self) -> str:
        """An id that nothing else has."""
        return f"{self._prefix}-{next(self._count)}"
