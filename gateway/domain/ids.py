"""Ids: opaque, prefixed, and sortable by the time they were made."""

import os
import random
import secrets
from datetime import datetime
from functools import lru_cache
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
AuditId = NewType("AuditId", str)
InboundId = NewType("InboundId", str)
ErasureId = NewType("ErasureId", str)
ReceiptId = NewType("ReceiptId", str)
EngagementId = NewType("EngagementId", str)
WorkerId = NewType("WorkerId", str)
EndpointId = NewType("EndpointId", str)
ReplayId = NewType("ReplayId", str)

MESSAGE: Final = "msg"
DELIVERY: Final = "dlv"
ATTEMPT: Final = "att"
EVENT: Final = "evt"
SERVICE: Final = "svc"
KEY: Final = "key"
SUPPRESSION: Final = "sup"
CONSENT: Final = "cns"
AUDIT: Final = "aud"
INBOUND: Final = "inb"
ERASURE: Final = "ers"
RECEIPT: Final = "rcp"
ENGAGEMENT: Final = "eng"
WORKER: Final = "wrk"
ENDPOINT: Final = "whe"
REPLAY: Final = "rpl"

_ENTROPY_BYTES: Final = 16
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32 in lower case: ASCII order is numeric order, and no letter is read as a digit."""
_PAIRS: Final = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
"""Two digits at a time."""
_RANDOM_DIGITS: Final = bytes(ord(_ALPHABET[byte % 32]) for byte in range(256))
"""A digit for each byte: every digit stands for eight of them, so that random bytes are random digits."""


@lru_cache(maxsize=64)
def _time_digits(at: datetime) -> str:
    """The part that says when; the ids of one message are made at one instant."""
    number = int(at.timestamp() * 1000)
    return _second_digits(number >> 10) + _PAIRS[number & 1023]


@lru_cache(maxsize=64)
def _second_digits(number: int) -> str:
    """Eight digits that stay the same for about a second."""
    return "".join([_PAIRS[number >> shift & 1023] for shift in (30, 20, 10, 0)])


def make_id(prefix: str, at: datetime, entropy: int | None = None) -> str:
    """Make `prefix_` + 10 digits of milliseconds since 1970 + 16 random digits (80 bits), all base 32.

    Ids made a millisecond or more apart sort by time. `entropy` fixes the random part: 128 bits, of which five in
    each byte count.
    """
    # Most ids name and open nothing, so the generator need only be seeded well; asking the system for randomness
    # costs more than the rest of the id.
    number = random.getrandbits(8 * _ENTROPY_BYTES) if entropy is None else entropy
    return f"{prefix}_{_time_digits(at)}{number.to_bytes(_ENTROPY_BYTES).translate(_RANDOM_DIGITS).decode()}"


_FETCHED_AT_ONCE: Final = 64
_unforeseeable: Final[list[bytes]] = []
"""The system's randomness, in pieces of which each serves once: asking for it lets other threads go first, which takes
longer than all else that makes an id. A forked process starts without any, or its ids would be its parent's."""
os.register_at_fork(after_in_child=_unforeseeable.clear)


def make_delivery_id(at: datetime) -> DeliveryId:
    """An id that nobody can foretell who has seen others: whoever knows it may say that the e-mail bounced."""
    try:
        entropy = _unforeseeable.pop()
    except IndexError:
        fetched = secrets.token_bytes(_ENTROPY_BYTES * _FETCHED_AT_ONCE)
        pieces = [fetched[start : start + _ENTROPY_BYTES] for start in range(0, len(fetched), _ENTROPY_BYTES)]
        entropy = pieces.pop()
        _unforeseeable.extend(pieces)
    return DeliveryId(make_id(DELIVERY, at, int.from_bytes(entropy)))
