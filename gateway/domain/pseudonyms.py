"""Names for people and addresses that nobody can read, and that stay the same for the life of a store.

What must hold after a person is erased (a suppression, a used cap, a line of the consent ledger) is kept under such a
name. Phone numbers can all be tried out, so a plain hash would hide nothing: the key is the gateway's own.
"""

import hmac
from typing import Final

_PURPOSE: Final = b"heliograph pseudonyms 1"
_CHECK: Final = "check"
_HEX_DIGITS: Final = 32
"""128 bits: more than enough that no two people ever share a name."""


class Pseudonyms:
    """HMAC-SHA256 (RFC 2104) under a key made from the gateway's kept secret."""

    __slots__ = ("_keyed",)

    def __init__(self, secret: bytes) -> None:
        self._keyed = hmac.new(hmac.digest(secret, _PURPOSE, "sha256"), digestmod="sha256")

    def of(self, label: str, *parts: str) -> str:
        """The name of these parts for one purpose: 32 hex digits; other labels and other cuts give other names."""
        told = "".join([f"{len(part)}:{part}" for part in (label, *parts)])
        naming = self._keyed.copy()
        naming.update(told.encode("utf-8", "surrogatepass"))
        return naming.hexdigest()[:_HEX_DIGITS]

    def of_address(self, channel: str, address: str) -> str:
        """The name of an address; it must be in its comparable spelling (`recipients.comparable`)."""
        return self.of("address", channel, address)

    def of_person(self, service_id: str, recipient_id: str) -> str:
        """The name of a person, whose id means something within one service only."""
        return self.of("person", service_id, recipient_id)

    @property
    def check(self) -> str:
        """What tells this key from another without giving it away."""
        return self.of(_CHECK)
