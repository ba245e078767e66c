"""What a provider can do as a line of a table, made of what it says of itself."""

from collections.abc import Mapping
from typing import Final

from gateway.domain.recipients import Channel, PushPlatform
from gateway.ports import Probed, Provider, Recallable, Searchable, StatusSource, WebhookReceiver

COLUMNS: Final = (
    "channels",
    "told later what became of a message",
    "a second call with the same id sends nothing twice",
    "calls us",
    "can be asked for a status",
    "can be looked through for a lost call",
    "can take a message back",
    "can be probed without sending",
)


def features(provider: Provider) -> tuple[str, ...]:
    """One cell for each column."""
    able = provider.capabilities
    told = (
        able.receipts,
        able.idempotent,
        isinstance(provider, WebhookReceiver),
        isinstance(provider, StatusSource),
        isinstance(provider, Searchable),
        isinstance(provider, Recallable),
        isinstance(provider, Probed),
    )
    return (_channels(provider), *("yes" if one else "no" for one in told))


def table(providers: Mapping[str, Provider]) -> str:
    """The whole table as Markdown, by the names that stand in its first column."""
    rows = [("provider", *COLUMNS), ("---",) * (len(COLUMNS) + 1)]
    rows += [(name, *features(provider)) for name, provider in providers.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _channels(provider: Provider) -> str:
    able = provider.capabilities
    named = [channel.value for channel in Channel if channel in able.channels]
    if Channel.PUSH in able.channels and able.platforms != frozenset(PushPlatform):
        named[-1] += f" ({', '.join(sorted(able.platforms))})"
    return ", ".join(named)
