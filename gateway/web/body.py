"""Reading a request's JSON strictly: what one parser would take and another refuse is refused here.

Sizes, depth, number of values, duplicate members, NaN and Infinity, lone surrogates, NUL and integers beyond
64 bits (RFC 8259 §4, §6, §8; RFC 7493). A few scans of the raw bytes show that an ordinary body needs neither
a slower parser nor a walk over its values.
"""

import asyncio
import json
import re
from collections.abc import Coroutine
from typing import Any, Final, NoReturn, TypeVar

import msgspec
from aiohttp import StreamReader, web
from multidict import MultiDictProxy

from gateway.domain.recipients import JsonValue
from gateway.domain.values import Value
from gateway.errors import FieldProblem, InvalidRequest
from gateway.web.pointers import Path, pointer
from gateway.web.problems import RequestRefused
from gateway.web.serialization import canonical

T = TypeVar("T")

MAX_DEPTH: Final = 32
MAX_NODES: Final = 10_000
_MAX_INTEGER: Final = 2**63 - 1
_MAX_EXACT: Final = 2**53
_READ_SECONDS: Final = 30.0
"""How long a caller may take to send its body."""
_HELD_UP_BY_NONE: Final = 2**15
"""Bytes; well below the size from which the web server stops reading until the body was taken."""
_SUSPECT_ESCAPE: Final = re.compile(rb"\\u(?:[dD][89a-fA-F]|0000)")
"""Surrogates and NUL."""
_DIGITS_ALIKE: Final = bytes.maketrans(b"123456789E", b"000000000e")
_LONG_NUMBER: Final = b"0" * 19


class Body(Value, frozen=True, kw_only=True):
    """What a request's JSON says."""

    value: JsonValue
    canonical: bytes
    """The same for every body that says the same: order of members, spacing, escapes and 1 against 1.0 do not count."""


async def read_body(request: web.Request, limit: int) -> bytes:
    """The raw body, at most `limit` bytes, of a request that says that it is JSON.

    Raises RequestRefused `unsupported_media_type`, `too_large`, `body_time_out` or, for a caller who is gone,
    `bad_request`.
    """
    headers = request.headers
    content_type = headers.get("Content-Type", "")
    if content_type != "application/json" and not _is_json(content_type):
        raise RequestRefused("unsupported_media_type", "The body must be application/json in UTF-8.")
    if headers.get("Content-Encoding", "identity") != "identity":
        raise RequestRefused("unsupported_media_type", "Compressed bodies are not taken.")
    content = request.content
    if content.is_eof() and content.exception() is None:
        # It came together with its head, as nearly all do: nothing to wait for.
        raw = _taken(content)
    else:
        if (request.content_length or 0) > limit:
            _refuse_size(limit)
        raw = await arrived(request, request.read())
    if len(raw) > limit:
        _refuse_size(limit)
    return raw


def _taken(content: StreamReader) -> bytes:
    """All of a body that is there.

    Reading it in the ordinary way has the connection parse again, for what may have been held up by the body; one
    this small held up nothing.
    """
    if 0 < content.total_bytes <= _HELD_UP_BY_NONE and len(content._buffer) == 1:
        return content._buffer[0]
    return content.read_nowait()


async def arrived(request: web.Request, reading: Coroutine[Any, Any, T]) -> T:
    """What reads a body, to its end: no caller holds a request open, and one who hangs up is no failure of ours.

    Raises RequestRefused `body_time_out` or `bad_request`.
    """
    try:
        if request.content.is_eof():
            return await reading
        async with asyncio.timeout(_READ_SECONDS):
            return await reading
    except TimeoutError as error:
        raise RequestRefused("body_time_out", "The body took too long to arrive.") from error
    except web.RequestPayloadError as error:
        raise RequestRefused("bad_request", "The body did not arrive as its headers promised.") from error
    except ConnectionError as error:
        # The body had come, but its caller hung up before we turned to it: nobody is left to hear an answer.
        raise RequestRefused("bad_request", "The connection was closed before the body was read.") from error


async def read_form(request: web.Request) -> MultiDictProxy[str | bytes | bytearray | web.FileField]:
    """The fields of a form in either of HTML's encodings.

    Raises HTTPBadRequest for what is none, be it in its characters, its parts or how they are encoded.
    """
    try:
        return await arrived(request, request.post())
    except (ValueError, LookupError, RuntimeError) as error:
        # The web server's own words for an unknown charset and an unknown transfer encoding.
        raise web.HTTPBadRequest from error


def _is_json(content_type: str) -> bool:
    kind, _, parameters = content_type.partition(";")
    charset = parameters.strip().lower()
    return kind.strip().lower() == "application/json" and charset in ("", "charset=utf-8", 'charset="utf-8"')


def _refuse_size(limit: int) -> NoReturn:
    raise RequestRefused("too_large", f"The body is larger than {limit} bytes.")


def parse_json(raw: bytes, *, max_nodes: int = MAX_NODES) -> Body:
    """What a body says.

    Raises RequestRefused `malformed_json` for what is no JSON, InvalidRequest for JSON that is too deep, too
    large in values, or says what we cannot keep exactly.
    """
    if (openings := raw.count(b"{") + raw.count(b"[")) > max_nodes:
        _refuse_nodes(max_nodes)
    if openings > MAX_DEPTH and _is_too_deep(raw):
        # Before parsing: the parser recurses.
        raise InvalidRequest(f"The body is nested deeper than {MAX_DEPTH} levels.", (_problem((), "too_deep"),))
    body = _read_plain(raw)
    value = _read(raw) if body is None else body.value
    if openings + raw.count(b",") > max_nodes or _needs_walk(raw):
        _walk(value, max_nodes)
    return body or Body(value=value, canonical=canonical(value))


def _read_plain(raw: bytes) -> Body | None:
    """The quick way for what is sound and has no escapes; None when only a closer look can tell.

    This parser keeps the last of two members with one name. Every member has its colon, and without escapes the
    canonical form has the colons that stand in texts as they were: it has fewer in all when a member was lost.
    """
    if b"\\" in raw:
        return None
    try:
        value = _decode_plain(raw)
    except ValueError:
        return None
    text = canonical(value)
    return Body(value=value, canonical=text) if text.count(b":") == raw.count(b":") else None


def _read(raw: bytes) -> JsonValue:
    try:
        value: JsonValue = _decode(raw.decode())
    except UnicodeDecodeError as error:
        raise RequestRefused("malformed_json", f"The body is not UTF-8 at byte {error.start}.") from error
    except json.JSONDecodeError as error:
        # The parser's message names a position and what is missing there, never the text.
        where = f"line {error.lineno}, column {error.colno}"
        raise RequestRefused("malformed_json", f"The body is no JSON: {error.msg} at {where}.") from error
    except ValueError as error:
        # CPython refuses integers of more than 4,300 digits while reading them.
        raise RequestRefused("malformed_json", "The body holds a number that is too long.") from error
    return value


def _needs_walk(raw: bytes) -> bool:
    """Whether there may be a surrogate, NUL, or a number that is too large: a plain search for each is cheapest."""
    alike = raw.translate(_DIGITS_ALIKE)
    return b"0e" in alike or _LONG_NUMBER in alike or (b"\\u" in raw and _SUSPECT_ESCAPE.search(raw) is not None)


def _unique(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise RequestRefused("malformed_json", "An object in the body names the same member twice.")
    return members


def _plain_number(text: str) -> int | float:
    """1.0 is 1 (RFC 8785 §3.2.2.3): however a caller writes a number, it is one value from here on."""
    number = float(text)
    return int(number) if number.is_integer() and abs(number) <= _MAX_EXACT else number


def _refuse_constant(name: str) -> NoReturn:
    raise RequestRefused("malformed_json", f"{name} is no JSON number.")


_decode: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_plain_number, parse_constant=_refuse_constant
).decode
_decode_plain: Final = msgspec.json.Decoder(float_hook=_plain_number).decode


_BRACKETS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


def _is_too_deep(raw: bytes) -> bool:
    depth = 0
    for found in _BRACKETS.finditer(raw):
        mark = found[0]
        if mark in (b"{", b"["):
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif mark in (b"}", b"]"):
            depth -= 1
    return False


def _walk(value: JsonValue, max_nodes: int) -> None:
    """Look at every value once, without recursion."""
    problems: list[FieldProblem] = []
    waiting: list[tuple[Path, JsonValue]] = [((), value)]
    seen = 0
    while waiting:
        path, node = waiting.pop()
        seen += 1
        if seen > max_nodes:
            _refuse_nodes(max_nodes)
        match node:
            case dict():
                for name, member in node.items():
                    if fault := _text_fault(name):
                        problems.append(_problem(path, fault))
                    waiting.append(((*path, name), member))
            case list():
                waiting.extend(((*path, index), item) for index, item in enumerate(node))
            case str():
                if fault := _text_fault(node):
                    problems.append(_problem(path, fault))
            case float() if node in (float("inf"), float("-inf")):
                problems.append(_problem(path, "number_too_large"))
            case int() if abs(node) > _MAX_INTEGER:
                problems.append(_problem(path, "number_too_large"))
    if problems:
        raise InvalidRequest("The body holds values that cannot be kept exactly.", problems)


def _text_fault(text: str) -> str | None:
    if "\0" in text:
        return "nul_character"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "lone_surrogate"
    return None


_MESSAGES: Final = {
    "too_deep": f"At most {MAX_DEPTH} levels of objects and lists.",
    "nul_character": "Text may not hold the character U+0000.",
    "lone_surrogate": "Text may not hold half of a surrogate pair (RFC 8259 §8.2).",
    "number_too_large": "Numbers must fit into 64 bits; send larger ones as strings.",
}


def _problem(path: Path, code: str) -> FieldProblem:
    return FieldProblem(pointer=pointer(path), code=code, message=_MESSAGES[code])


def _refuse_nodes(max_nodes: int) -> NoReturn:
    problem = FieldProblem(pointer="", code="too_many_values", message=f"At most {max_nodes} values in one body.")
    raise InvalidRequest(f"The body holds more than {max_nodes} values.", (problem,))
