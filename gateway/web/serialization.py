"""JSON on its way out: compact UTF-8, the answers of the API and the canonical form that bodies compare in."""

import hashlib
from typing import Final

import msgspec
from aiohttp import web
from multidict import CIMultiDict
from pydantic_core import to_json

from gateway.domain.recipients import JsonValue

_JSON_HEADERS: Final = CIMultiDict({"Content-Type": "application/json"})


def encode(value: JsonValue | dict[str, JsonValue]) -> bytes:
    """Compact JSON in UTF-8."""
    return to_json(value)


def json_response(
    value: JsonValue | dict[str, JsonValue], status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """An `application/json` answer."""
    fields = _JSON_HEADERS if headers is None else CIMultiDict(_JSON_HEADERS, **headers)
    return web.Response(body=to_json(value), status=status, headers=fields)


canonical: Final = msgspec.json.Encoder(order="sorted").encode
"""A JSON value in the one form in which bodies compare: compact, members sorted by name."""


def fingerprint(text: bytes) -> str:
    """SHA-256 of a body's canonical form."""
    return hashlib.sha256(text).hexdigest()
