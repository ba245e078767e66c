"""All settings as one frozen value; every one has a default that needs no service."""

from collections.abc import Mapping

from pydantic import Field

from gateway.domain.rule_tables import parse_rules
from gateway.domain.rules import RuleSet
from gateway.settings.delivery import DeliverySettings, RouteSettings
from gateway.settings.engagement import EngagementSettings
from gateway.settings.notifying import WebhooksSettings
from gateway.settings.policy import ConsentsSettings, OverrideSettings, PolicySettings, RetentionSettings
from gateway.settings.providers import AnyProviderSettings, ProviderSettings
from gateway.settings.running import (
    ContentSettings,
    Dispatching,
    LimitsSettings,
    LocalesSettings,
    LogSettings,
    QueueSettings,
    SecuritySettings,
    ServerSettings,
    StoreSettings,
    WorkerSettings,
)
from gateway.settings.sender import SenderSettings
from gateway.settings.spending import SpendingSettings
from gateway.settings.values import Section, masked_url

__all__ = [
    "AnyProviderSettings",
    "Dispatching",
    "LogSettings",
    "OverrideSettings",
    "ProviderSettings",
    "RouteSettings",
    "Section",
    "Settings",
    "masked_url",
]


class Settings(Section):
    """All settings; a value never changes after the start."""

    server: ServerSettings = ServerSettings()
    store: StoreSettings = StoreSettings()
    queue: QueueSettings = QueueSettings()
    worker: WorkerSettings = WorkerSettings()
    content: ContentSettings = ContentSettings()
    locales: LocalesSettings = LocalesSettings()
    policy: PolicySettings = PolicySettings()
    quiet_hours: tuple[Mapping[str, object], ...] = ()
    """Hours in which nothing goes, beside those of the country packs."""
    frequency_caps: tuple[Mapping[str, object], ...] = ()
    """How many messages are enough."""
    providers: Mapping[str, AnyProviderSettings] = Field(default_factory=dict)
    routes: tuple[RouteSettings, ...] = ()
    delivery: DeliverySettings = DeliverySettings()
    engagement: EngagementSettings = EngagementSettings()
    webhooks: WebhooksSettings = WebhooksSettings()
    consents: ConsentsSettings = ConsentsSettings()
    sender: SenderSettings = SenderSettings()
    spending: SpendingSettings = SpendingSettings()
    retention: RetentionSettings = RetentionSettings()
    security: SecuritySettings = SecuritySettings()
    limits: LimitsSettings = LimitsSettings()
    log: LogSettings = LogSettings()

    def rules(self) -> RuleSet:
        """The operator's own rules. Raises WrongRules that names every wrong key."""
        return parse_rules({"quiet_hours": self.quiet_hours, "frequency_caps": self.frequency_caps}, "settings")

    def dispatching(self, processes: int) -> Dispatching:
        """Where messages are handed over: as configured, else elsewhere with a queue and inside a single process."""
        if self.server.dispatch is not None:
            return self.server.dispatch
        if self.queue.url:
            return Dispatching.ELSEWHERE
        return Dispatching.INSIDE if processes == 1 else Dispatching.BESIDE

    @property
    def public_url(self) -> str:
        """Base of every link, without a trailing slash."""
        given = self.server.public_url or f"http://{self.server.host}:{self.server.port}"
        return given.rstrip("/")
