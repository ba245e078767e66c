"""All settings as one frozen value; every one has a default that needs no service."""

import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import pytz
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from gateway.domain.durations import parse_duration
from gateway.domain.inbound import StopCovers
from gateway.domain.messages import Outcome
from gateway.domain.preferences import Category, SuppressionReason
from gateway.domain.recipients import Channel
from gateway.domain.rule_tables import parse_rules
from gateway.domain.rules import RuleSet


def _to_duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _known_zone(name: str) -> str:
    if name not in pytz.all_timezones_set:
        raise ValueError(f"{name!r} is no IANA time zone, such as Europe/Paris")
    return name


def _redis_url(url: str) -> str:
    if url and urlsplit(url).scheme not in ("redis", "rediss", "unix"):
        raise ValueError("it must be redis://…, rediss://… or unix://…, or empty for the embedded mode")
    return url


def _store_url(url: str) -> str:
    if urlsplit(url).scheme.partition("+")[0] not in ("sqlite", "postgresql"):
        raise ValueError("it must be sqlite:///path/to/file.db or postgresql://…")
    return url


_LEAST_SECRET: Final = 16
"""Characters; an empty variable must not leave links that anybody can sign."""


def _long_enough(secret: SecretStr) -> SecretStr:
    if len(secret) < _LEAST_SECRET:
        raise ValueError(f"it must have at least {_LEAST_SECRET} characters; `openssl rand -hex 32` makes a good one")
    return secret


_PASSWORD: Final = re.compile(r"(?<=://)([^/@]*:)[^/@]+@")


def masked_url(url: str) -> str:
    """A URL for people to read: without its password."""
    return _PASSWORD.sub(r"\1••••@", url)


Duration = Annotated[timedelta, BeforeValidator(_to_duration)]
Zone = Annotated[str, AfterValidator(_known_zone)]
Port = Annotated[int, Field(ge=0, le=65535)]


class Section(BaseModel):
    """A table of the settings; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Dispatching(StrEnum):
    """Where `heliograph serve` has messages handed over to providers."""

    INSIDE = "inside"
    """In each process that accepts."""
    BESIDE = "beside"
    """In one process beside those that accept, so that neither starves the other."""
    ELSEWHERE = "elsewhere"
    """By `heliograph worker`."""


class ServerSettings(Section):
    """Where the gateway listens and how the world names it."""

    host: str = "127.0.0.1"
    port: Port = 8080
    public_url: str = ""
    """Base of links in messages; left out, http://host:port."""
    drain: Duration = timedelta(seconds=25)
    """How long SIGTERM lets calls in flight finish."""
    processes: Annotated[int, Field(ge=1, le=256)] = 1
    """How many processes accept, on one port."""
    dispatch: Dispatching | None = None
    """Where what is accepted is handed over to providers."""


class StoreSettings(Section):
    """Where the truth lives."""

    url: Annotated[str, AfterValidator(_store_url)] = "sqlite:///var/heliograph.db"


class QueueSettings(Section):
    """What carries the work from the processes that accept to those that dispatch."""

    url: Annotated[str, AfterValidator(_redis_url)] = ""
    """Redis; empty: the process that accepts dispatches as well."""


class WorkerSettings(Section):
    """`heliograph worker`: how many, and where they answer probes."""

    processes: Annotated[int, Field(ge=1, le=256)] = 1
    host: str = "127.0.0.1"
    port: Port | None = None
    """Of `/healthz`, `/readyz` and `/metrics` of `heliograph worker`; left out, it does not listen."""


class ContentSettings(Section):
    """A team's own folders; left out, the shipped ones."""

    templates: Path | None = None
    translations: Path | None = None
    refresh: Duration = timedelta(seconds=2)
    """How often changed files are looked for."""


class LocalesSettings(Section):
    """Languages; every locale that has a catalog is offered."""

    default: str = "en"
    """The language of the msgids, always offered."""


def _as_packs(value: object) -> object:
    """A variable holds a text: `true`, `false`, or countries with commas between."""
    if not isinstance(value, str) or value.lower() in ("true", "false"):
        return value
    return [country.strip() for country in value.split(",") if country.strip()]


class OverrideSettings(Section):
    """A rule of a country pack that is not followed, and why."""

    rule: Annotated[str, Field(min_length=1)]
    reason: Annotated[str, Field(min_length=1)]
    """Whose advice it is; logged at each start, and in the trace of every decision that it concerns."""


def _never_a_stop(reasons: tuple[SuppressionReason, ...]) -> tuple[SuppressionReason, ...]:
    if SuppressionReason.STOP in reasons:
        raise ValueError("a STOP holds for every message; only bounce, complaint and manual can be overridden")
    return reasons


class PolicySettings(Section):
    """What policy falls back to."""

    default_timezone: Zone = "UTC"
    """For a recipient of whom no zone is known."""
    stop_covers: StopCovers = StopCovers.EVERYTHING
    """What a text that says STOP ends for its number."""
    release_over: Annotated[Duration, Field(ge=timedelta(0), le=timedelta(hours=1))] = timedelta(minutes=5)
    """Over how long what waits for one opening is let go, so that a country does not go out in one second."""
    consent: Literal["channel", "topic"] = "channel"
    """Whether marketing needs a grant for the very channel, or one for the topic on any channel."""
    critical_overrides: Annotated[tuple[SuppressionReason, ...], AfterValidator(_never_a_stop)] = ()
    """The suppressions that a `critical` message may pass."""
    packs: Annotated[bool | tuple[str, ...], BeforeValidator(_as_packs)] = True
    """Whether the rules that ship for the recipient's country hold: all, none, or those of these countries."""
    overrides: tuple[OverrideSettings, ...] = ()


class MailboxProviderSettings(Section):
    """The local mailbox; keeps what it was given for people to look at."""

    kind: Literal["mailbox"]
    host: str = "127.0.0.1"
    port: Port = 0
    """Its own SMTP listener; 0 takes a free port."""
    webhook_secret: Annotated[SecretStr, AfterValidator(_long_enough)] | None = None
    """Signs inbound texts at `POST /webhooks/<name>`; left out, one is derived from what signs links."""


class SmtpProviderSettings(Section):
    """An SMTP relay."""

    kind: Literal["smtp"]
    host: str
    port: Port = 25
    username: str | None = None
    password: SecretStr | None = None
    tls: Literal["none", "starttls", "tls"] = "none"
    """`starttls` and `tls` both refuse to go on without a verified certificate."""
    ca_file: Path | None = None
    sender: str | None = Field(default=None, alias="from")
    """Used when neither message nor service names a sender."""
    timeout: Duration = timedelta(seconds=30)
    connections: Annotated[int, Field(ge=1, le=200)] = 10
    messages_per_connection: Annotated[int, Field(ge=1)] = 100


def _never_taken(codes: Mapping[str, Outcome]) -> Mapping[str, Outcome]:
    if {Outcome.SENT, Outcome.DELIVERED} & set(codes.values()):
        raise ValueError("a code says why a message was refused; it cannot mean that it was sent")
    return codes


class HttpProviderSettings(Section):
    """What all providers have in common that are called by HTTP."""

    timeout: Duration = timedelta(seconds=30)
    connections: Annotated[int, Field(ge=1, le=200)] = 16
    ca_file: Path | None = None
    codes: Annotated[Mapping[str, Outcome], AfterValidator(_never_taken)] = Field(default_factory=dict)
    """What a code of the provider's means, where ours is not to be followed."""


class TwilioProviderSettings(HttpProviderSettings):
    """An account at Twilio."""

    kind: Literal["twilio"]
    sender: str | None = Field(default=None, alias="from")
    """Used when neither message nor service names a sender."""
    account_sid: Annotated[str, Field(min_length=1)]
    auth_token: Annotated[SecretStr, Field(min_length=1)]
    previous_auth_token: SecretStr | None = None
    """While the token is being changed: webhooks may be signed with either."""
    messaging_service_sid: str | None = None
    base_url: str = "https://api.twilio.com"


class SendGridProviderSettings(HttpProviderSettings):
    """An account at SendGrid."""

    kind: Literal["sendgrid"]
    sender: str | None = Field(default=None, alias="from")
    """Used when neither message nor service names a sender."""
    api_key: Annotated[SecretStr, Field(min_length=1)]
    webhook_public_keys: tuple[str, ...] = ()
    """Base64, as SendGrid shows them; several while a key is being changed."""
    base_url: str = "https://api.sendgrid.com"


class WebPushProviderSettings(HttpProviderSettings):
    """Notifications to browsers."""

    kind: Literal["webpush"]
    vapid_private_key: Annotated[SecretStr, Field(min_length=1)]
    subject: Annotated[str, Field(pattern=r"^(mailto:.+@|https://).+$")]
    """Whom a push service may write to."""


class FcmProviderSettings(HttpProviderSettings):
    """A Firebase project."""

    kind: Literal["fcm"]
    service_account: Annotated[SecretStr, Field(min_length=1)]
    """The key file, as JSON."""
    base_url: str = "https://fcm.googleapis.com"


class ApnsProviderSettings(HttpProviderSettings):
    """An app at Apple's."""

    kind: Literal["apns"]
    key: Annotated[SecretStr, Field(min_length=1)]
    """The signing key (.p8), as PEM."""
    key_id: Annotated[str, Field(min_length=1)]
    team_id: Annotated[str, Field(min_length=1)]
    topic: Annotated[str, Field(min_length=1)]
    """The app's bundle id."""
    base_url: str = "https://api.push.apple.com"


ProviderSettings = Annotated[
    MailboxProviderSettings
    | SmtpProviderSettings
    | TwilioProviderSettings
    | SendGridProviderSettings
    | WebPushProviderSettings
    | FcmProviderSettings
    | ApnsProviderSettings,
    Field(discriminator="kind"),
]


class RouteSettings(Section):
    """Which providers serve a channel, in order; the first route that fits wins."""

    channel: Channel
    countries: tuple[str, ...] = ()
    """ISO 3166-1 alpha-2; left out: everywhere."""
    providers: Annotated[tuple[str, ...], Field(min_length=1)]


class UnknownPolicy(Section):
    """Whether a lost answer may be followed by a second send, by category."""

    critical: Literal["never", "resend"] = "never"
    transactional: Literal["never", "resend"] = "never"
    marketing: Literal["never", "resend"] = "never"

    def resends(self, category: Category) -> bool:
        """Whether this category would rather arrive twice than not at all."""
        return bool(getattr(self, category.value) == "resend")


class DeliverySettings(Section):
    """How hard and how long delivery tries."""

    on_unknown: UnknownPolicy = UnknownPolicy()
    unknown_after: Duration = timedelta(minutes=15)
    """How long a lost answer may be settled before `on_unknown` decides."""
    attempts: Annotated[int, Field(ge=1, le=100)] = 8
    retry_first: Duration = timedelta(seconds=5)
    retry_max: Duration = timedelta(minutes=10)
    in_flight: Annotated[int, Field(ge=1, le=10_000)] = 256
    """How many deliveries one worker handles at once."""
    shed_after: Duration = timedelta(minutes=5)
    """When the longest-waiting due delivery is older, new posts get 503 until the backlog shrinks."""


class ConsentsSettings(Section):
    """Double opt-in."""

    confirm_within: Annotated[Duration, Field(ge=timedelta(days=1))] = timedelta(days=7)
    """How long the link works by which a person confirms."""


class RetentionSettings(Section):
    """How long what is done with is kept; no part outlives its message."""

    messages: Annotated[Duration, Field(ge=timedelta(days=3))] = timedelta(days=400)
    """From the acceptance, and from the last change of a delivery; not below the 72 h of idempotency keys."""
    events: Duration = timedelta(days=400)
    """Timelines, and the texts that came in."""
    content: Duration = timedelta(days=400)
    """What was rendered, as the proof of what was sent."""
    mailbox: Duration = timedelta(days=30)


class SecuritySettings(Section):
    """What the gateway signs with."""

    secret: Annotated[SecretStr, AfterValidator(_long_enough)] | None = None
    """Signs links in messages; left out, one is made and kept: beside an SQLite file, or in PostgreSQL."""
    allow_private_endpoints: tuple[str, ...] = ()
    """Inside hosts, addresses or networks that may be called where a caller supplies the address."""


class LimitsSettings(Section):
    """How large a request may be."""

    body_bytes: Annotated[int, Field(ge=1024)] = 2 * 1024 * 1024
    batch_body_bytes: Annotated[int, Field(ge=1024)] = 16 * 1024 * 1024
    attachments: Annotated[int, Field(ge=0)] = 10
    attachment_bytes: Annotated[int, Field(ge=0)] = 1024 * 1024
    """Decoded, all files of one message together."""


class LogSettings(Section):
    """How the gateway speaks to its operators on standard error."""

    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "info"


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
    providers: Mapping[str, ProviderSettings] = Field(default_factory=dict)
    routes: tuple[RouteSettings, ...] = ()
    delivery: DeliverySettings = DeliverySettings()
    consents: ConsentsSettings = ConsentsSettings()
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
