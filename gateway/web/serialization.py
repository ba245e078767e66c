"""JSON on its way out: compact UTF-8, the answers of the API and the canonical form that bodies compare in."""

import hashlib
import json
import re
from typing import Final

from aiohttp import web
from multidict import CIMultiDict

from gateway.domain.recipients import JsonValue

_encode: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_encode_sorted: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True
).encode
_JSON_HEADERS: Final = CIMultiDict({"Content-Type": "application/json"})
_MAYBE_FLOAT: Final = re.compile(rb"\d[.eE]")


def encode(value: JsonValue | dict[str, JsonValue]) -> bytes:
    """Compact JSON in UTF-8."""
    return _encode(value).encode()


def json_response(
    value: JsonValue | dict[str, JsonValue], status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """An `application/json` answer."""
    fields = _JSON_HEADERS if headers is None else CIMultiDict(_JSON_HEADERS, **headers)
    return web.Response(body=_encode(value).encode(), status=status, headers=fields)


def fingerprint(value: JsonValue, raw: bytes | None = None) -> str:
    """SHA-256 of the canonical JSON of a body: member order, spacing, escapes and 1 against 1.0 do not count.

    `raw`, the body that `value` was read from, only spares the look for numbers that could be written otherwise.
    """
    plain = value if raw is not None and not _MAYBE_FLOAT.search(raw) else _with_plain_numbers(value)
    return hashlib.sha256(_encode_sorted(plain).encode()).hexdigest()


def _with_plain_numbers(value: JsonValue) -> JsonValue:
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {name: _with_plain_numbers(member) for name, member in value.items()}
        case list():
            return [_with_plain_numbers(item) for item in value]
        case _:
            return value
