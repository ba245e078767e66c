"""JSON answers, written to the connection in one piece: head and body are one text that is put together once."""

import time
from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from typing import Final

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from gateway.domain.encoding import encode
from gateway.domain.recipients import JsonValue

STANDING_HEADERS: Final[Mapping[str, str]] = {
    "Server": "heliograph",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
"""What an answer carries unless its handler said otherwise; pages bring their own policy."""


class JsonResponse(web.StreamResponse):
    """An `application/json` answer; the standing headers are its last ones and cannot be changed."""

    standing: str = ""
    """The standing headers as lines, each with its end."""
    _writer: AbstractStreamWriter | None = None

    def __init__(self, body: bytes, status: int, headers: Mapping[str, str] | None) -> None:
        super().__init__(status=status, headers=headers)
        self.body = body

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Take the request that this answers; nothing is written before the end."""
        self._keep_alive = request.keep_alive
        if self._keep_alive is not (request.version >= HttpVersion11):
            # RFC 9112 §9.3: what differs from the version's own way is said.
            self.headers["Connection"] = "keep-alive" if self._keep_alive else "close"
        self._is_head = request.method == "HEAD"
        self._writer = request.writer
        return self._writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Write head and body at once."""
        assert self._writer is not None
        assert not data
        fields = "".join([f"{name}: {value}\r\n" for name, value in self.headers.items()])
        if fields.count("\n") != len(self.headers) or fields.count("\r") != len(self.headers):
            raise ValueError("a header holds a line break")
        head = (
            f"HTTP/1.1 {self.status} {self.reason}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(self.body)}\r\nDate: {http_date(int(time.time()))}\r\n{fields}{self.standing}\r\n"
        ).encode()
        await self._writer.write_eof(head if self._is_head else head + self.body)


@lru_cache(maxsize=1)
def http_date(second: int) -> str:
    """RFC 9110 §5.6.7; most answers share their second with others."""
    return formatdate(second, usegmt=True)


def json_response(
    value: JsonValue | dict[str, JsonValue], status: int = 200, headers: Mapping[str, str] | None = None
) -> JsonResponse:
    """An `application/json` answer."""
    return JsonResponse(encode(value), status, headers)
