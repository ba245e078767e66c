"""The canonical form that bodies compare in."""

import hashlib
from typing import Final

import msgspec

canonical: Final = msgspec.json.Encoder(order="sorted").encode
"""A JSON value in the one form in which bodies compare: compact, members sorted by name."""


def fingerprint(text: bytes) -> str:
    """SHA-256 of a body's canonical form."""
    return hashlib.sha256(text).hexdigest()
