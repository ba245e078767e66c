"""Ids: opaque, prefixed, and sortable by the time they were made."""

import random
from datetime import datetime
from typing import Final, NewType

MessageId = NewType("MessageId", str)
DeliveryId = NewType("DeliveryId", str)
AttemptId = NewType("AttemptId", str)
EventId = NewType("EventId", str)
ServiceId = NewType("ServiceId", str)
KeyId = NewType("KeyId", str)
RecipientId = NewType("RecipientId", str)
"""The caller's own id for a person, unique within one service."""
SuppressionId = NewType("SuppressionId", str)
ConsentId = NewType("ConsentId", str)
WorkerId = NewType("WorkerId", str)

MESSAGE: Final = "msg"
DELIVERY: Final = "dlv"
ATTEMPT: Final = "att"
EVENT: Final = "evt"
SERVICE: Final = "svc"
KEY: Final = "key"
SUPPRESSION: Final = "sup"
CONSENT: Final = "cns"
WORKER: Final = "wrk"

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32 in lower case: ASCII order is numeric order, and no letter is read as a digit."""
_PAIRS: Final = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
"""Two digits at a time: ids are made several times for each message."""


def _ten_digits(number: int) -> str:
    return (
        _PAIRS[number >> 40 & 1023]
        + _PAIRS[number >> 30 & 1023]
        + _PAIRS[number >> 20 & 1023]
        + _PAIRS[number >> 10 & 1023]
        + _PAIRS[number & 1023]
    )


def _six_digits(number: int) -> str:
    return _PAIRS[number >> 20 & 1023] + _PAIRS[number >> 10 & 1023] + _PAIRS[number & 1023]


def make_id(prefix: str, at: datetime, entropy: int | None = None) -> str:
    """Make `prefix_` + 10 digits of milliseconds since 1970 + 16 random digits (80 bits), all base 32.

    Ids made a millisecond or more apart sort by time; `entropy` fixes the random part for tests.
    """
    # Ids name, they do not open anything, so the generator need only be seeded well; asking the system for
    # randomness costs more than the rest of the id.
    random_part = random.getrandbits(80) if entropy is None else entropy
    milliseconds = int(at.timestamp() * 1000)
    return f"{prefix}_{_ten_digits(milliseconds)}{_six_digits(random_part >> 50)}{_ten_digits(random_part)}"
