"""Provider accounts, by kind."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import AfterValidator, BaseModel, Field, PlainValidator, SecretStr, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from gateway.domain.recipients import Channel
from gateway.ports.kinds import Codes, LimitedSection, ProviderSection, SendingSection
from gateway.settings.values import Domain, Duration, Listened, Port, Section, Words, long_enough


class MailboxProviderSettings(Section):
    """The local mailbox; keeps what it was given for people to look at."""

    kind: Literal["mailbox"]
    host: str = "127.0.0.1"
    port: Port = 0
    """Its own SMTP listener; 0 takes a free port."""
    webhook_secret: Annotated[SecretStr, AfterValidator(long_enough)] | None = None
    """Signs inbound texts at `POST /webhooks/<name>`; left out, one is derived from what signs links."""


class DkimKeySettings(Section):
    """A key that signs the mail of its domain."""

    domain: Domain
    selector: Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$")]
    """Its public half stands in the DNS at `<selector>._domainkey.<domain>`."""
    key: Annotated[SecretStr, Field(min_length=1)]
    """RSA or Ed25519, as PEM."""


class SmtpProviderSettings(SendingSection, Section):
    """An SMTP relay."""

    kind: Literal["smtp"]
    host: str
    port: Port = 25
    username: str | None = None
    password: SecretStr | None = None
    tls: Literal["none", "starttls", "tls"] = "none"
    """`starttls` and `tls` both refuse to go on without a verified certificate."""
    ca_file: Path | None = None
    timeout: Duration = timedelta(seconds=30)
    connections: Annotated[int, Field(ge=1, le=200)] = 20
    messages_per_connection: Annotated[int, Field(ge=1)] = 100
    bounce_domain: Domain | None = None
    """Bounces come to `bounce+<delivery id>@<bounce_domain>`; left out, to the sender."""
    bounce_listen: Listened | None = None
    """Where we listen for them, by SMTP; left out, they come by `heliograph messages bounce`."""
    dkim: Mapping[str, DkimKeySettings] = Field(default_factory=dict)
    """Keys by names of the operator's choice; each signs what its domain sends."""

    @model_validator(mode="after")
    def _listens_for_something(self) -> "SmtpProviderSettings":
        if self.bounce_listen is not None and self.bounce_domain is None:
            raise ValueError("bounce_listen needs bounce_domain, the domain of the addresses that bounces come to")
        return self


class HttpProviderSettings(LimitedSection, Section):
    """What all providers have in common that are called by HTTP."""

    timeout: Duration = timedelta(seconds=30)
    connections: Annotated[int, Field(ge=1, le=200)] = 16
    ca_file: Path | None = None
    codes: Codes = Field(default_factory=dict)
    """What a code of the provider's means, where ours is not to be followed."""


class TwilioProviderSettings(SendingSection, HttpProviderSettings):
    """An account at Twilio."""

    kind: Literal["twilio"]
    account_sid: Annotated[str, Field(min_length=1)]
    auth_token: Annotated[SecretStr, Field(min_length=1)]
    previous_auth_token: SecretStr | None = None
    """While the token is being changed: webhooks may be signed with either."""
    messaging_service_sid: str | None = None
    base_url: str = "https://api.twilio.com"


class SendGridProviderSettings(SendingSection, HttpProviderSettings):
    """An account at SendGrid."""

    kind: Literal["sendgrid"]
    api_key: Annotated[SecretStr, Field(min_length=1)]
    webhook_public_keys: Words = ()
    """Base64, as SendGrid shows them; several while a key is being changed."""
    base_url: str = "https://api.sendgrid.com"


class SesProviderSettings(SendingSection, HttpProviderSettings):
    """An account at Amazon SES."""

    kind: Literal["ses"]
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
    access_key_id: Annotated[str, Field(min_length=1)]
    secret_access_key: Annotated[SecretStr, Field(min_length=1)]
    configuration_set: str | None = None
    """Which says where events go."""
    topic_arns: Words = ()
    """The SNS topics whose messages are believed; others get 401."""
    base_url: str | None = None
    """Left out, the region's own."""
    sns_url: str | None = None
    """Where SNS is reached for certificates and confirmations; left out, its own address in the topic's region."""


class KannelProviderSettings(SendingSection, HttpProviderSettings):
    """An account (`sendsms-user`) at a Kannel, which speaks to carriers."""

    kind: Literal["kannel"]
    username: Annotated[str, Field(min_length=1)]
    password: Annotated[SecretStr, Field(min_length=1)]
    smsc: str | None = None
    """The carrier to go by, in Kannel's words an `smsc-id`; left out, Kannel chooses."""
    inbound_token: Annotated[SecretStr, AfterValidator(long_enough)] | None = None
    """What Kannel's `get-url` for texts must hold."""
    base_url: str = "http://127.0.0.1:13013"


class AppriseProviderSettings(SendingSection, Section):
    """A service that Apprise knows."""

    kind: Literal["apprise"]
    url: Annotated[SecretStr, Field(min_length=1)]
    """In Apprise's notation; `{to}`, `{sender}` and `{delivery_id}` are filled in."""
    channel: Literal[Channel.EMAIL, Channel.SMS]
    timeout: Duration = timedelta(seconds=30)
    connections: Annotated[int, Field(ge=1, le=200)] = 16
    codes: Codes = Field(default_factory=dict)
    """What an HTTP status means, where ours is not to be followed."""


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


ProviderSettings = (
    MailboxProviderSettings
    | SmtpProviderSettings
    | TwilioProviderSettings
    | SendGridProviderSettings
    | SesProviderSettings
    | KannelProviderSettings
    | AppriseProviderSettings
    | WebPushProviderSettings
    | FcmProviderSettings
    | ApnsProviderSettings
)
"""An account of a kind of our own."""

KINDS: Final[Mapping[str, type[Section]]] = {
    get_args(model.model_fields["kind"].annotation)[0]: model for model in get_args(ProviderSettings)
}
"""Our own kinds, by the name that the settings give them."""


def _checked(value: Any, info: ValidationInfo) -> BaseModel:
    """The account as its kind's own model holds it: one of ours, or one that the reader of the settings knows of."""
    if isinstance(value, BaseModel):
        return value
    context = info.context or {}
    models: Mapping[str, type[BaseModel]] = {**KINDS, **context.get("kinds", {})}
    known = ", ".join(map(repr, sorted({*models, *context.get("installed", ())})))
    kind = value.get("kind") if isinstance(value, Mapping) else None
    if kind is None:
        raise PydanticCustomError("no_kind", "say which kind it is: {known}", {"known": known})
    if kind not in models:
        told = {"kind": repr(kind), "known": known}
        raise PydanticCustomError("unknown_kind", "there is no kind {kind}, only {known}", told)
    return models[kind].model_validate(value)


AnyProviderSettings = Annotated[ProviderSettings | ProviderSection, PlainValidator(_checked)]
"""An account of any kind; of others' kinds the validation's context holds the `kinds` in use and those `installed`."""
