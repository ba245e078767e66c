"""What adapters by HTTP have in common: a name, what they can do, a table of codes, and connections to close."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, Protocol

from gateway.domain.values import replace
from providers.base import (
    Capabilities,
    Channel,
    Clock,
    Envelope,
    Outcome,
    PushContent,
    PushDevice,
    PushPlatform,
    SendResult,
)
from providers.http import HttpSettings
from providers.http_answers import OutcomeTable
from providers.push_devices import send_to_devices


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterSettings:
    """What an operator can say of each of them."""

    codes: Mapping[str, Outcome] = field(default_factory=dict)
    """The operator's own lines of the table of codes."""
    http: HttpSettings = field(default_factory=HttpSettings)


class Client(Protocol):
    """Connections that are to be closed."""

    async def aclose(self) -> None:
        """Close them; may be called twice."""


class HttpAdapter:
    """The part of a `Provider` that is the same for all; a second call is a second message."""

    channel: ClassVar[Channel]
    receipts: ClassVar[bool] = False
    counts_by_sender: bool = False
    table: ClassVar[OutcomeTable]
    """What the provider's own codes mean."""

    def __init__(self, name: str, settings: AdapterSettings, client: Client, clock: Clock) -> None:
        self._name = name
        self._client = client
        self._clock = clock
        self._codes = {**self.table, **settings.codes}
        self._capabilities = Capabilities(
            channels=frozenset({self.channel}),
            receipts=self.receipts,
            concurrency=settings.http.connections,
            counts_by_sender=self.counts_by_sender,
        )

    @property
    def name(self) -> str:
        """The configured name."""
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        """One channel, and as many calls at once as there may be connections."""
        return self._capabilities

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.aclose()


class PushAdapter(HttpAdapter, ABC):
    """One that calls for each device of its platform."""

    channel = Channel.PUSH
    platform: ClassVar[PushPlatform]

    async def send(self, envelope: Envelope) -> SendResult:
        """Hand one notification over for each of the person's devices of the platform."""
        return await send_to_devices(envelope, self.platform, partial(self._send_one, envelope))

    def __init__(self, name: str, settings: AdapterSettings, client: Client, clock: Clock) -> None:
        super().__init__(name, settings, client, clock)
        self._capabilities = replace(self._capabilities, platforms=frozenset({self.platform}))

    @abstractmethod
    async def _send_one(self, envelope: Envelope, device: PushDevice, content: PushContent) -> SendResult:
        """Make the call for one device."""
