"""Who calls: API keys, what they may do, and for how long an answer from the store is believed."""

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Final

from gateway.domain.audit import By, of_key
from gateway.domain.ids import KeyId, ServiceId
from gateway.domain.keys import Scope, Token, is_usable, parse_token
from gateway.errors import NotFound
from gateway.ports import ApiKey, Clock, ServiceStore
from gateway.web.problems import MissingScope, Unauthenticated

_RENEWED_SECONDS: Final = 0.5
"""After this one caller asks the store again, while the others with the key go on."""
_BELIEVED_SECONDS: Final = 0.75
"""How long a key is taken for good without asking the store: a revoked one stops within about a second."""
_REMEMBERED_KEYS: Final = 4_096
_REFUSAL: Final = "Send a valid API key: `Authorization: Bearer hg_live_…`."


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A service, by the key that it calls with."""

    service_id: ServiceId
    key_id: KeyId
    live: bool
    """False for a test key: its messages go to the mailbox only."""
    scopes: frozenset[str]
    rate_per_second: float | None
    """None for a key without a limit."""

    def may(self, scope: Scope) -> bool:
        """Whether the key has the scope."""
        return scope in self.scopes

    def require(self, *scopes: Scope) -> None:
        """Raises MissingScope unless the key has one of them."""
        if scopes and self.scopes.isdisjoint(scopes):
            wanted = " or ".join(f"`{scope}`" for scope in scopes)
            raise MissingScope(f"This key lacks the scope {wanted}.")

    def by(self, reason: str | None = None) -> By:
        """Who acts with this key, and why."""
        return By(actor=of_key(self.key_id), service_id=self.service_id, reason=reason)

    @property
    def visible_service(self) -> ServiceId | None:
        """Whose messages it sees: its own service's, and everyone's (None) with the scope `ops`."""
        return None if Scope.OPS in self.scopes else self.service_id


@dataclass(slots=True)
class _Believed:
    """What the store said of a key; instants of the monotonic clock."""

    caller: Caller
    fresh_until: float
    until: float
    is_being_renewed: bool = False


class Authenticator:
    """Turns an `Authorization` header into a caller, asking the store about twice a second for each key."""

    def __init__(self, services: ServiceStore, clock: Clock) -> None:
        self._services = services
        self._clock = clock
        self._believed: dict[bytes, _Believed] = {}
        self._asking: dict[bytes, asyncio.Lock] = {}

    def believed(self, header: str) -> Caller | None:
        """Who sent this header, where the store said so a moment ago; None when it has to be asked."""
        believed = self._believed.get(_digest(header))
        if believed is None:
            return None
        now = self._clock.monotonic()
        if believed.fresh_until > now or (believed.is_being_renewed and believed.until > now):
            return believed.caller
        believed.is_being_renewed = True
        return None

    async def authenticate(self, header: str) -> Caller:
        """Raises Unauthenticated for a missing, malformed, unknown, wrong, expired or revoked key alike."""
        token, digest = _bearer(header), _digest(header)
        lock = self._asking.setdefault(digest, asyncio.Lock())
        try:
            async with lock:
                return await self._ask(digest, token)
        finally:
            if not lock.locked():
                self._asking.pop(digest, None)

    async def _ask(self, digest: bytes, token: Token) -> Caller:
        believed = self._believed.get(digest)
        started = self._clock.monotonic()
        if believed is not None and believed.fresh_until > started:
            # Another request with this key asked while we waited for the lock.
            return believed.caller
        try:
            caller = self._checked(token, await self._known(token))
        except Unauthenticated:
            self._believed.pop(digest, None)
            raise
        if len(self._believed) >= _REMEMBERED_KEYS:
            self._believed.clear()
        self._believed[digest] = _Believed(caller, started + _RENEWED_SECONDS, started + _BELIEVED_SECONDS)
        return caller

    async def _known(self, token: Token) -> ApiKey | None:
        try:
            return await self._services.get_key(token.id)
        except NotFound:
            return None

    def _checked(self, token: Token, key: ApiKey | None) -> Caller:
        # An unknown id costs the same comparison as a wrong secret.
        matches = token.matches(key.secret_hash if key is not None else "0" * 64)
        if key is None or not matches or key.live is not token.live:
            raise Unauthenticated(_REFUSAL)
        if not is_usable(expires_at=key.expires_at, revoked_at=key.revoked_at, now=self._clock.now()):
            raise Unauthenticated(_REFUSAL)
        return Caller(
            service_id=key.service_id,
            key_id=key.id,
            live=key.live,
            scopes=key.scopes,
            rate_per_second=key.rate_per_second,
        )


def _digest(header: str) -> bytes:
    """What a header is looked up by, so that the time of a look-up tells nothing of the keys that are there."""
    return hashlib.sha256(header.encode(errors="surrogateescape")).digest()


def _bearer(header: str) -> Token:
    scheme, _, text = header.partition(" ")
    token = parse_token(text.strip()) if header.isascii() and scheme.lower() == "bearer" else None
    if token is None:
        raise Unauthenticated(_REFUSAL)
    return token
