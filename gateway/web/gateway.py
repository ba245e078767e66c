"""The running gateway, as far as the HTTP layer needs it; `gateway.bootstrap` builds the value that fits."""

from collections.abc import Mapping
from typing import Protocol

from gateway.delivery.accepting.accept import Acceptor
from gateway.delivery.engagement.conversions import Converter
from gateway.delivery.notifying.desk import EndpointDesk
from gateway.delivery.people.consents import Recorder
from gateway.delivery.people.erasure import Eraser
from gateway.delivery.people.export import Exporter
from gateway.delivery.people.inbound import InboundDesk
from gateway.delivery.tracking.receipts import Tracker
from gateway.delivery.upkeep.readiness import ReadinessCheck
from gateway.delivery.upkeep.spending import SpendingReport
from gateway.delivery.upkeep.steering import Steering
from gateway.delivery.what_if.explain import Explainer
from gateway.delivery.what_if.preview import Previewer
from gateway.metrics import Metrics
from gateway.ports import (
    Clock,
    ConsentStore,
    EndpointStore,
    EngagementStore,
    InboundStore,
    LogStore,
    RecipientStore,
    ServiceStore,
    SuppressionStore,
    WebhookReceiver,
)
from gateway.rendering.renderer import Renderer
from gateway.settings import Settings


class Gateway(Protocol):
    """Everything that handlers reach; one value for each app."""

    @property
    def settings(self) -> Settings:
        """The settings that it was started with."""

    @property
    def clock(self) -> Clock:
        """Its clock."""

    @property
    def metrics(self) -> Metrics:
        """What it measures."""

    @property
    def services(self) -> ServiceStore:
        """Services and their keys."""

    @property
    def recipients(self) -> RecipientStore:
        """People."""

    @property
    def consents(self) -> ConsentStore:
        """What people said."""

    @property
    def recorder(self) -> Recorder:
        """Adds to what people said."""

    @property
    def suppressions(self) -> SuppressionStore:
        """Addresses never to be written to."""

    @property
    def receivers(self) -> Mapping[str, WebhookReceiver]:
        """The providers that call us, by their configured names."""

    @property
    def inbound(self) -> InboundDesk:
        """Where texts come in."""

    @property
    def tracker(self) -> Tracker:
        """Where receipts come in."""

    @property
    def engagements(self) -> EngagementStore:
        """Opens, clicks and conversions."""

    @property
    def converter(self) -> Converter:
        """Where conversions come in."""

    @property
    def texts(self) -> InboundStore:
        """The texts that came in."""

    @property
    def log(self) -> LogStore:
        """The delivery log."""

    @property
    def renderer(self) -> Renderer:
        """Templates and catalogs, and texts made of them."""

    @property
    def acceptor(self) -> Acceptor:
        """Where a 202 comes from."""

    @property
    def exporter(self) -> Exporter:
        """Gives out all that is held on people."""

    @property
    def eraser(self) -> Eraser:
        """Erases people."""

    @property
    def spending(self) -> SpendingReport:
        """How much of the limits is used."""

    @property
    def steering(self) -> Steering:
        """Cancel and retry."""

    @property
    def explainer(self) -> Explainer:
        """Says what would happen."""

    @property
    def previewer(self) -> Previewer:
        """Shows templates."""

    @property
    def endpoints(self) -> EndpointStore:
        """Where services hear of their messages."""

    @property
    def endpoint_desk(self) -> EndpointDesk:
        """Makes, changes and tries these."""

    @property
    def readiness(self) -> ReadinessCheck:
        """Whether it can do its work."""
