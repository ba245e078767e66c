"""The seams of the core: what delivery needs from stores, providers, clocks and doorbells.

Each protocol is small and has one owner; `gateway.bootstrap` names the concrete ones. Batches are shared
inside the stores: callers hand over one thing and await its own answer, which comes when it is durable.
"""

from gateway.ports.accepting import (
    AcceptOutcome,
    AcceptStore,
    BatchOutcome,
    BatchReplayed,
    Idempotency,
    Mismatched,
    NewDelivery,
    NewMessage,
    Replayed,
    Stored,
)
from gateway.ports.audit import AuditQuery, AuditStore
from gateway.ports.dispatching import Claim, DispatchStore, LeaseStore, Reservation, Step, StoredFacts
from gateway.ports.engagement import EngagementStore
from gateway.ports.inbound import (
    Acquaintance,
    Confirming,
    InboundQuery,
    InboundStore,
    Intake,
    WebhookReceiver,
    WebhookRequest,
)
from gateway.ports.kinds import ENTRY_POINTS, HttpProviderSection, Opening, ProviderKind, ProviderSection
from gateway.ports.limits import Limit, Limits
from gateway.ports.mailbox import MailboxItem, MailboxStore
from gateway.ports.naming import Names
from gateway.ports.notifying import CallAnswer, Called, EndpointCaller, EndpointStore, Fate, NoticeStore, Told
from gateway.ports.people import (
    ConsentStore,
    LedgerStore,
    ReaderChoice,
    ReaderStore,
    RecipientStore,
    SuppressionStore,
    Wished,
)
from gateway.ports.providers import (
    Candidate,
    Capabilities,
    Fitness,
    LostCall,
    Probed,
    ProbeResult,
    Provider,
    Recallable,
    Searchable,
    StatusSource,
)
from gateway.ports.reading import (
    ConditionStore,
    DeliveryRecord,
    LogStore,
    MessageQuery,
    MessageRecord,
    Page,
    SteeringStore,
    StoreCondition,
)
from gateway.ports.receipts import BounceIntake, ExpectedBounce, HandedOver, Hearing, ReceiptStore, Telling
from gateway.ports.replaying import TrafficStore
from gateway.ports.retention import Retention, RetentionStore
from gateway.ports.services import ApiKey, SenderIdentity, Service, ServiceStore
from gateway.ports.settling import LastCall, SettlingStore
from gateway.ports.spending import RefundStore, SpendingStore
from gateway.ports.time import Clock, Wake
from gateway.ports.watching import Waiting, WatchStore

__all__ = [
    "ENTRY_POINTS",
    "AcceptOutcome",
    "AcceptStore",
    "Acquaintance",
    "ApiKey",
    "AuditQuery",
    "AuditStore",
    "BatchOutcome",
    "BatchReplayed",
    "BounceIntake",
    "CallAnswer",
    "Called",
    "Candidate",
    "Capabilities",
    "Claim",
    "Clock",
    "ConditionStore",
    "Confirming",
    "ConsentStore",
    "DeliveryRecord",
    "DispatchStore",
    "EndpointCaller",
    "EndpointStore",
    "EngagementStore",
    "ExpectedBounce",
    "Fate",
    "Fitness",
    "HandedOver",
    "Hearing",
    "HttpProviderSection",
    "Idempotency",
    "InboundQuery",
    "InboundStore",
    "Intake",
    "LastCall",
    "LeaseStore",
    "LedgerStore",
    "Limit",
    "Limits",
    "LogStore",
    "LostCall",
    "MailboxItem",
    "MailboxStore",
    "MessageQuery",
    "MessageRecord",
    "Mismatched",
    "Names",
    "NewDelivery",
    "NewMessage",
    "NoticeStore",
    "Opening",
    "Page",
    "ProbeResult",
    "Probed",
    "Provider",
    "ProviderKind",
    "ProviderSection",
    "ReaderChoice",
    "ReaderStore",
    "Recallable",
    "ReceiptStore",
    "RecipientStore",
    "RefundStore",
    "Replayed",
    "Reservation",
    "Retention",
    "RetentionStore",
    "Searchable",
    "SenderIdentity",
    "Service",
    "ServiceStore",
    "SettlingStore",
    "SpendingStore",
    "StatusSource",
    "SteeringStore",
    "Step",
    "StoreCondition",
    "Stored",
    "StoredFacts",
    "SuppressionStore",
    "Telling",
    "Told",
    "TrafficStore",
    "Waiting",
    "Wake",
    "WatchStore",
    "WebhookReceiver",
    "WebhookRequest",
    "Wished",
]
