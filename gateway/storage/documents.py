"""JSON as the store keeps it: compact UTF-8 text, the same from every path into a column."""

import json
from typing import Any, Final

_encoder: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def dump(value: Any) -> str:
    """The column's text. Raises ValueError for NaN and infinities, which JSON cannot say."""
    return _encoder.encode(value)


def load(text: str | bytes) -> Any:
    """What `dump` was given."""
    return json.loads(text)
