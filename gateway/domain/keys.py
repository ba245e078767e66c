"""API keys: how one is made, written down, recognised and checked; what it may open.

A key reads `hg_live_<id>_<secret>`, or `hg_test_…` for one whose messages only the mailbox gets. The id finds it,
the 256-bit secret proves it, and only the secret's SHA-256 is kept: a secret of full entropy needs no slow hash.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final

from gateway.domain.ids import KEY, KeyId, make_id
from gateway.domain.values import Discreet


class Scope(StrEnum):
    """What a key may do."""

    SEND = "send"
    READ = "read"
    """Its own service's messages."""
    OPS = "ops"
    """All messages, retry, cancel, suppressions."""
    RECIPIENTS = "recipients"
    POLICY = "policy"
    TRANSLATE = "translate"
    ADMIN = "admin"


DEFAULT_SCOPES: Final[frozenset[str]] = frozenset({Scope.SEND, Scope.READ})
"""What a key has that was made without naming scopes."""


def parse_scopes(names: Iterable[str]) -> frozenset[str]:
    """The scopes that the names stand for; none named means the default ones. Raises ValueError with the fix."""
    known = {scope.value for scope in Scope}
    asked = frozenset(names)
    if unknown := sorted(asked - known):
        raise ValueError(f"Unknown scope {', '.join(unknown)}; choose from {', '.join(Scope)}.")
    return asked or DEFAULT_SCOPES


_RATE: Final = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)/s", re.ASCII)


def parse_rate(text: str) -> float:
    """Requests per second from a text such as `50/s`. Raises ValueError with the fix."""
    shaped = _RATE.fullmatch(text.strip())
    rate = float(shaped.group(1)) if shaped else 0.0
    if rate <= 0:
        raise ValueError("Give a rate as requests per second, such as 50/s.")
    return rate


_ID_DIGITS: Final = 26
_SECRET_BYTES: Final = 32
_TOKEN: Final = re.compile(
    rf"hg_(live|test)_([0-9a-hjkmnp-tv-z]{{{_ID_DIGITS}}})_([0-9a-f]{{{2 * _SECRET_BYTES}}})", re.ASCII
)


class Token(Discreet, frozen=True, kw_only=True):
    """One key in full; it exists when it is made and while a request is checked, never in the store."""

    unshown: ClassVar = frozenset({"secret"})

    id: KeyId
    live: bool
    secret: str
    """256 bits in hex."""

    @property
    def text(self) -> str:
        """What the caller puts into `Authorization: Bearer`."""
        return f"hg_{'live' if self.live else 'test'}_{self.id.removeprefix(f'{KEY}_')}_{self.secret}"

    @property
    def secret_hash(self) -> str:
        """What is kept of the secret: its SHA-256 in hex."""
        return hashlib.sha256(self.secret.encode("ascii")).hexdigest()

    def matches(self, secret_hash: str) -> bool:
        """Whether this is the key that the hash was kept of; takes the same time either way."""
        return hmac.compare_digest(self.secret_hash, secret_hash)


def make_token(*, live: bool, now: datetime) -> Token:
    """A new key with a new id and a fresh secret."""
    return Token(id=KeyId(make_id(KEY, now)), live=live, secret=secrets.token_hex(_SECRET_BYTES))


def parse_token(text: str) -> Token | None:
    """The key that a text spells, unchecked; None when it has not the form of one."""
    shaped = _TOKEN.fullmatch(text)
    if shaped is None:
        return None
    mode, key_id, secret = shaped.groups()
    return Token(id=KeyId(f"{KEY}_{key_id}"), live=mode == "live", secret=secret)


def is_usable(*, expires_at: datetime | None, revoked_at: datetime | None, now: datetime) -> bool:
    """Whether a key opens anything at that instant: neither revoked nor past its end."""
    return revoked_at is None and (expires_at is None or now < expires_at)
