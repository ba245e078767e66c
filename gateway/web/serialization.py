"""JSON on its way out: compact UTF-8, the answers of the API and the canonical form that bodies compare in."""

import hashlib
from typing import Final

import msgspec
from pydantic_core import to_json

from gateway.domain.recipients import JsonValue


def encode(value: JsonValue | dict[str, JsonValue]) -> bytes:
    """Compact JSON in UTF-8."""
    return to_json(value)


canonical: Final = msgspec.json.Encoder(order="sorted").encode
"""A JSON value in the one form in which bodies compare: compact, members sorted by name."""


def fingerprint(text: bytes) -> str:
    """SHA-256 of a body's canonical form."""
    return hashlib.sha256(text).hexdigest()
