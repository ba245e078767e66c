"""Signed links in messages: a token names a delivery, never a person, and only the gateway can make one."""

import base64
import hashlib
import hmac
from typing import Final

from gateway.domain.ids import DeliveryId

_SIGNATURE_BYTES: Final = 16
"""128 bits of HMAC-SHA256 (RFC 2104 §5): short enough for a text message, too long to guess."""
_PURPOSE: Final = b"unsubscribe:"
_MAX_TOKEN: Final = 128


class UnsubscribeLinks:
    """Makes and reads the tokens of `/u/{token}`."""

    def __init__(self, secret: bytes, public_url: str) -> None:
        self._keyed = hmac.new(secret, _PURPOSE, hashlib.sha256)
        self._base = f"{public_url.rstrip('/')}/u/"

    def token(self, delivery_id: DeliveryId) -> str:
        """The token of a delivery: the same each time, so that a resend carries the same link."""
        return f"{delivery_id}.{self._signature(delivery_id)}"

    def read(self, token: str) -> DeliveryId | None:
        """The delivery that a token names; None for one that is not ours."""
        if len(token) > _MAX_TOKEN or not token.isascii():
            return None
        delivery_id, _, signature = token.rpartition(".")
        if not delivery_id or not hmac.compare_digest(signature, self._signature(delivery_id)):
            return None
        return DeliveryId(delivery_id)

    def unsubscribe_url(self, delivery_id: DeliveryId) -> str:
        """Where RFC 8058's one-click POST goes; a GET shows the preferences and changes nothing."""
        return self._base + self.token(delivery_id)

    def preferences_url(self, delivery_id: DeliveryId) -> str:
        """The preference centre of the person who got this delivery."""
        return self._base + self.token(delivery_id)

    def _signature(self, delivery_id: str) -> str:
        signing = self._keyed.copy()
        signing.update(delivery_id.encode())
        return base64.urlsafe_b64encode(signing.digest()[:_SIGNATURE_BYTES]).rstrip(b"=").decode()
