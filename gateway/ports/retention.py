"""How long the store keeps what is done with."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

from gateway.domain.values import Value


class Retention(Value, frozen=True, kw_only=True):
    """How long each thing is kept at least; what a message still needs, and the message itself, stays longer."""

    messages: timedelta
    """Messages with everything that belongs to them, from their acceptance and from their last change; suppressions
    since they ended."""
    events: timedelta
    """Their timelines, and the texts that came in."""
    content: timedelta
    """What was rendered for them."""
    mailbox: timedelta
    """What the mailbox provider was given."""


class RetentionStore(Protocol):
    """Forgets what nobody needs any more."""

    async def make_room(self, now: datetime) -> None:
        """Make ready what the store of the coming months needs. Raises Unavailable."""

    async def forget(self, retention: Retention, now: datetime) -> Mapping[str, int]:
        """Drop a bounded part of what is past its time: so many of each kind, nothing where nothing is left to drop.

        Idempotency keys that ended go too, once no message of theirs is on its way. Of several at once one works and
        the others find nothing. Raises Unavailable.
        """
