"""Signed links that tell of a click, and the pixel that tells of an open.

A click's token carries the delivery and the whole target, so nothing has to be stored for it to work, and nobody can
have it lead elsewhere.
"""

import base64
import binascii
import hashlib
import hmac
from typing import Final

from gateway.domain.ids import DeliveryId

_SIGNATURE_BYTES: Final = 16
"""128 bits of HMAC-SHA256 (RFC 2104 §5), as in the other links of a message."""
_CLICK: Final = b"click:"
_OPEN: Final = b"open:"
MAX_TARGET: Final = 2_000
"""Characters; a longer link stays as it is: with its token it would be longer than servers and mail programs take."""
_MAX_TOKEN: Final = 3_000


class EngagementLinks:
    """Makes and reads the tokens of `/c/{token}` and `/o/{token}`."""

    def __init__(self, secret: bytes, public_url: str) -> None:
        self._click = hmac.new(secret, _CLICK, hashlib.sha256)
        self._open = hmac.new(secret, _OPEN, hashlib.sha256)
        self._base = public_url.rstrip("/")

    @property
    def own(self) -> str:
        """What the links begin with by which people choose and leave: no click on them is told of."""
        return f"{self._base}/u/"

    def click_url(self, delivery_id: DeliveryId, target: str) -> str:
        """A link that tells of a click and leads on to an ASCII target."""
        carried = f"{delivery_id}.{_text(target.encode('ascii'))}"
        return f"{self._base}/c/{carried}.{_signature(self._click, carried)}"

    def open_url(self, delivery_id: DeliveryId) -> str:
        """The pixel of a delivery."""
        return f"{self._base}/o/{delivery_id}.{_signature(self._open, delivery_id)}"

    def read_click(self, token: str) -> tuple[DeliveryId, str] | None:
        """The delivery, and where the link leads; None for a token that is not ours."""
        carried = _checked(self._click, token)
        delivery_id, _, target = (carried or "").partition(".")
        return (DeliveryId(delivery_id), _bytes(target).decode("ascii")) if target else None

    def read_open(self, token: str) -> DeliveryId | None:
        """The delivery that a pixel belongs to; None for a token that is not ours."""
        carried = _checked(self._open, token)
        return None if carried is None else DeliveryId(carried)


def _checked(keyed: hmac.HMAC, token: str) -> str | None:
    if len(token) > _MAX_TOKEN or not token.isascii():
        return None
    carried, _, signature = token.rpartition(".")
    return carried if carried and hmac.compare_digest(signature, _signature(keyed, carried)) else None


def _signature(keyed: hmac.HMAC, carried: str) -> str:
    signing = keyed.copy()
    signing.update(carried.encode())
    return _text(signing.digest()[:_SIGNATURE_BYTES])


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return binascii.a2b_base64(text.translate({45: 43, 95: 47}) + "=" * (-len(text) % 4))
