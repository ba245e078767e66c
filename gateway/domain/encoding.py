"""JSON as text: one encoder for all that is answered or kept."""

from typing import Final

import msgspec

encode: Final = msgspec.json.Encoder().encode
"""Compact JSON in UTF-8 of plain JSON, of instants (RFC 3339, `Z` for UTC), vocabularies and values.

NaN and infinities, which JSON cannot say, become null. Raises UnicodeEncodeError for halves of surrogate pairs,
TypeError for what is nothing of this kind.
"""
decode: Final = msgspec.json.Decoder().decode
"""What a text of JSON says."""
Encoded = msgspec.Raw
"""JSON that is text already, within a value to be encoded."""
