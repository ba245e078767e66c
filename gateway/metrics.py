"""What operators watch: counters of the gateway's own registry, so that two gateways in one process stay apart."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_COMMIT_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)

SAME_EVERYWHERE: Final = frozenset(
    {
        "heliograph_oldest_due_seconds",
        "heliograph_deliveries_held",
        "heliograph_deliveries_unknown",
        "heliograph_spending_used",
        "heliograph_complaint_rate",
        "heliograph_webhook_endpoints",
        "heliograph_webhook_notices",
    }
)
"""Gauges of one fact that several processes look at: of these the greatest counts, of other gauges the sum."""


class Metrics:
    """Every metric of the gateway; labels are words of the contract, never ids, services or addresses."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._whole: Callable[[], Awaitable[bytes]] | None = None
        count, gauge = partial(Counter, registry=self.registry), partial(Gauge, registry=self.registry)
        time = partial(Histogram, registry=self.registry)
        self.accepted = count("heliograph_messages_accepted", "Messages stored and answered with 202.", ["category"])
        self.statuses = count(
            "heliograph_delivery_statuses", "Deliveries that came to a status.", ["channel", "status"]
        )
        self.dispatch_seconds = time(
            "heliograph_dispatch_seconds",
            "From acceptance, or the instant that the caller chose, to the first call to a provider.",
            ["priority"],
            buckets=_LATENCY_BUCKETS,
        )
        self.commit_seconds = time(
            "heliograph_commit_seconds",
            "How long a shared transaction took, until it was durable.",
            buckets=_COMMIT_BUCKETS,
        )
        self.in_flight = gauge("heliograph_deliveries_in_flight", "Deliveries that this process holds a claim on.")
        self.fallbacks = count(
            "heliograph_locale_fallbacks",
            "Texts rendered in another language than the recipient's because a string was missing or bad.",
            ["template"],
        )
        self.refresh_failures = count(
            "heliograph_content_refresh_failures",
            "Changed templates or catalogs that were refused; the last good ones went on serving.",
            ["kind"],
        )
        self.claims_released = count("heliograph_claims_released", "Claims taken back from workers that died.")
        self.poison = count(
            "heliograph_deliveries_poisoned", "Deliveries set aside since claims of them kept ending with their worker."
        )
        self.inbound = count("heliograph_inbound", "Texts that came in, by what each was taken to mean.", ["meaning"])
        self.receipts = count(
            "heliograph_receipts",
            "What providers told of messages later: `new`, `repeated`, `parked` since no such call is known, and"
            " `anomaly` where it contradicts an end of our own.",
            ["kind"],
        )
        self.engagements = count(
            "heliograph_engagements",
            "Opens, clicks and conversions, by who made them: `person`, or the kind of machine.",
            ["kind", "by"],
        )
        self.claims_lost = count(
            "heliograph_claims_lost", "Steps that were not written since the claim had become another worker's."
        )
        self.attempts, self.attempt_seconds, self.resting, self.look_ups = _of_providers(self.registry)
        self.oldest_due_seconds, self.held, self.unknown = _of_what_waits(self.registry)
        self.spending_used, self.complaint_rate = _of_spending(self.registry)
        self.webhook_calls, self.webhook_seconds, self.webhook_endpoints, self.webhook_notices = _of_webhooks(
            self.registry
        )

    def share(self, whole: Callable[[], Awaitable[bytes]]) -> None:
        """This process is one of several: `whole` tells what all of them measure."""
        self._whole = whole

    async def exposition(self) -> bytes:
        """Prometheus text format, of all processes that run as one. Raises Unavailable when the others are silent."""
        return generate_latest(self.registry) if self._whole is None else await self._whole()


def _of_providers(registry: CollectorRegistry) -> tuple[Counter, Histogram, Gauge, Counter]:
    """What is asked of providers, and how they fare."""
    attempts = Counter(
        "heliograph_attempts",
        "Calls to providers by their classified answer.",
        ["provider", "outcome"],
        registry=registry,
    )
    attempt_seconds = Histogram(
        "heliograph_attempt_seconds",
        "How long a call to a provider took, by its classified answer.",
        ["provider", "outcome"],
        buckets=_LATENCY_BUCKETS,
        registry=registry,
    )
    resting = Gauge(
        "heliograph_providers_resting",
        "1 while this process leaves a provider alone since too many of its last calls failed or took too long.",
        ["provider"],
        registry=registry,
    )
    look_ups = Counter(
        "heliograph_look_ups",
        "Questions to providers about messages of which nothing was told: `told`, `absent` where it has no such,"
        " and `silent` where it does not say.",
        ["provider", "found"],
        registry=registry,
    )
    return attempts, attempt_seconds, resting, look_ups


def _of_spending(registry: CollectorRegistry) -> tuple[Gauge, Gauge]:
    """How near limits on spending are."""
    spending_used = Gauge(
        "heliograph_spending_used",
        "How full the fullest counter of a limit on spending is, from 0 to 1.",
        ["limit"],
        registry=registry,
    )
    complaint_rate = Gauge(
        "heliograph_complaint_rate",
        "Complaints for each marketing e-mail, of the sending domain with most; of those that sent enough.",
        registry=registry,
    )
    return spending_used, complaint_rate


def _of_webhooks(registry: CollectorRegistry) -> tuple[Counter, Histogram, Gauge, Gauge]:
    """What services are told."""
    webhook_calls = Counter(
        "heliograph_webhook_calls",
        "Events called out to endpoints of services: `taken`, `failed` and due again, `given_up`, or `void` since"
        " there was nothing to tell any more.",
        ["outcome"],
        registry=registry,
    )
    webhook_seconds = Histogram(
        "heliograph_webhook_seconds",
        "How long a call to an endpoint took.",
        buckets=_LATENCY_BUCKETS,
        registry=registry,
    )
    webhook_endpoints = Gauge(
        "heliograph_webhook_endpoints",
        "Endpoints of services: `working`, `failing` now, `disabled` since they failed for days or are gone, and"
        " `off` by hand.",
        ["state"],
        registry=registry,
    )
    webhook_notices = Gauge(
        "heliograph_webhook_notices",
        "Events that endpoints have not taken yet; counted up to 10,000.",
        registry=registry,
    )
    return webhook_calls, webhook_seconds, webhook_endpoints, webhook_notices


def _of_what_waits(registry: CollectorRegistry) -> tuple[Gauge, Gauge, Gauge]:
    """Read from the store, and so the same for all processes."""
    oldest_due_seconds = Gauge(
        "heliograph_oldest_due_seconds",
        "How long the longest-waiting due delivery has been due; nothing where none is.",
        ["channel", "priority"],
        registry=registry,
    )
    held = Gauge(
        "heliograph_deliveries_held",
        "Deliveries that policy holds, by its reason; counted up to 10,000.",
        ["reason"],
        registry=registry,
    )
    unknown = Gauge(
        "heliograph_deliveries_unknown",
        "Deliveries whose answer was lost and not settled since, by how long ago; counted up to 10,000.",
        ["age"],
        registry=registry,
    )
    return oldest_due_seconds, held, unknown
