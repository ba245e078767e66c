"""The running gateway, as those see it who serve it to the outside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from gateway.delivery.accepting.accept import Acceptor
from gateway.delivery.dispatching.links import UnsubscribeLinks
from gateway.delivery.dispatching.routing import RoutingTable
from gateway.delivery.engagement.conversions import Converter
from gateway.delivery.engagement.desk import EngagementDesk
from gateway.delivery.notifying.desk import EndpointDesk
from gateway.delivery.people.confirmation import Confirmation, ConfirmationLinks
from gateway.delivery.people.consents import Recorder
from gateway.delivery.people.erasure import Eraser
from gateway.delivery.people.export import Exporter
from gateway.delivery.people.inbound import InboundDesk
from gateway.delivery.people.unsubscribe import Unsubscriber
from gateway.delivery.tracking.receipts import Tracker
from gateway.delivery.upkeep.readiness import ReadinessCheck
from gateway.delivery.upkeep.spending import SpendingReport
from gateway.delivery.upkeep.steering import Steering
from gateway.delivery.what_if.explain import Explainer
from gateway.delivery.what_if.preview import Previewer
from gateway.localization.catalogs import CatalogLibrary
from gateway.metrics import Metrics
from gateway.ports import (
    AuditStore,
    Clock,
    ConsentStore,
    EndpointStore,
    EngagementStore,
    InboundStore,
    LogStore,
    MailboxStore,
    Provider,
    RecipientStore,
    ServiceStore,
    SuppressionStore,
    WebhookReceiver,
)
from gateway.rendering.registry import TemplateLibrary
from gateway.rendering.renderer import Renderer
from gateway.settings import Settings
from gateway.storage.store import Store
from gateway.work.worker import Worker

_CLOSING: Final = timedelta(seconds=2)
"""What is kept of the draining time for closing connections and the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """The running gateway: its use cases, what they read, and what the outside may look at."""

    settings: Settings
    clock: Clock
    metrics: Metrics
    store: Store
    templates: TemplateLibrary
    catalogs: CatalogLibrary
    page_catalogs: CatalogLibrary
    """What the pages say, in every language: the gettext domain `console`."""
    renderer: Renderer
    links: UnsubscribeLinks
    routing: RoutingTable
    providers: Mapping[str, Provider]
    acceptor: Acceptor
    explainer: Explainer
    previewer: Previewer
    steering: Steering
    unsubscriber: Unsubscriber
    confirmation: Confirmation
    confirmation_links: ConfirmationLinks
    recorder: Recorder
    eraser: Eraser
    exporter: Exporter
    inbound: InboundDesk
    engagement: EngagementDesk
    converter: Converter
    tracker: Tracker
    endpoint_desk: EndpointDesk
    readiness: ReadinessCheck
    spending: SpendingReport
    worker: Worker | None
    """None where nothing is claimed."""
    first_key: str | None = field(repr=False)
    """The key that the first start made, to be printed once; None at every later start."""
    bounce_addresses: tuple[tuple[str, int], ...] = ()
    """Where it listens for mail that comes back: host and port."""

    @property
    def receivers(self) -> Mapping[str, WebhookReceiver]:
        """The providers that call us, by their configured names."""
        return {name: one for name, one in self.providers.items() if isinstance(one, WebhookReceiver)}

    @property
    def texts(self) -> InboundStore:
        """The texts that came in."""
        return self.store.inbound

    @property
    def log(self) -> LogStore:
        """The delivery log."""
        return self.store.log

    @property
    def engagements(self) -> EngagementStore:
        """Opens, clicks and conversions."""
        return self.store.engagements

    @property
    def recipients(self) -> RecipientStore:
        """People."""
        return self.store.recipients

    @property
    def consents(self) -> ConsentStore:
        """What people said."""
        return self.store.consents

    @property
    def suppressions(self) -> SuppressionStore:
        """Addresses never to be written to."""
        return self.store.suppressions

    @property
    def services(self) -> ServiceStore:
        """Services and their keys."""
        return self.store.services

    @property
    def endpoints(self) -> EndpointStore:
        """Where services hear of their messages."""
        return self.store.endpoints

    @property
    def audit(self) -> AuditStore:
        """Who did what by hand, and why."""
        return self.store.audit

    @property
    def mailbox(self) -> MailboxStore:
        """What the mailbox provider was given."""
        return self.store.mailbox

    @property
    def drain_seconds(self) -> float:
        """How long calls and requests under way may take once it was told to stop."""
        return draining(self.settings).total_seconds()

    async def drain(self) -> None:
        """Stop claiming, and let the calls under way finish in the time that they have."""
        self.readiness.drain()
        if self.worker is not None:
            await self.worker.drain()


def draining(settings: Settings) -> timedelta:
    """How long a process may take to finish what is under way."""
    return max(settings.server.drain - _CLOSING, timedelta(0))
