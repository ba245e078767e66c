"""Accounts at providers that are called by HTTP, made from their settings."""

from typing import assert_never

from gateway.ports import Clock, Provider
from gateway.settings import Settings
from gateway.settings.providers import (
    ApnsProviderSettings,
    AppriseProviderSettings,
    FcmProviderSettings,
    HttpProviderSettings,
    KannelProviderSettings,
    SendGridProviderSettings,
    SesProviderSettings,
    TwilioProviderSettings,
    WebPushProviderSettings,
)
from providers.apns import ApnsProvider, ApnsSettings
from providers.apprise import AppriseProvider, AppriseSettings
from providers.fcm import FcmProvider, FcmSettings
from providers.http import HttpSettings
from providers.kannel import KannelProvider, KannelSettings
from providers.sendgrid import SendGridProvider, SendGridSettings
from providers.ses import SesProvider, SesSettings
from providers.twilio import TwilioProvider, TwilioSettings
from providers.webpush import WebPushProvider, WebPushSettings

Account = (
    ApnsProviderSettings
    | AppriseProviderSettings
    | FcmProviderSettings
    | KannelProviderSettings
    | SendGridProviderSettings
    | SesProviderSettings
    | TwilioProviderSettings
    | WebPushProviderSettings
)
"""Settings of the kinds that are made here."""


def make_account(name: str, one: Account, settings: Settings, clock: Clock, *, receipt_key: str) -> Provider:
    """The provider of that name; `receipt_key` signs addresses for the receipts of one that signs nothing itself.

    Raises ConfigurationError for keys and files that cannot be read.
    """
    match one:
        case TwilioProviderSettings():
            opened: Provider = TwilioProvider(name, _twilio_settings(one, callback_url(settings, name)), clock)
        case SendGridProviderSettings():
            opened = SendGridProvider(name, _sendgrid_settings(one), clock)
        case SesProviderSettings():
            opened = SesProvider(name, _ses_settings(one), clock)
        case KannelProviderSettings():
            opened = KannelProvider(name, _kannel_settings(one, callback_url(settings, name), receipt_key), clock)
        case AppriseProviderSettings():
            opened = AppriseProvider(name, _apprise_settings(one))
        case ApnsProviderSettings():
            opened = ApnsProvider(name, _apns_settings(one), clock)
        case FcmProviderSettings():
            opened = FcmProvider(name, _fcm_settings(one), clock)
        case WebPushProviderSettings():
            opened = WebPushProvider(name, _webpush_settings(one, settings), clock)
        case never:
            assert_never(never)
    return opened


def callback_url(settings: Settings, name: str) -> str:
    """Where a provider of that name calls us."""
    return f"{settings.public_url}/webhooks/{name}"


def _http_settings(one: HttpProviderSettings) -> HttpSettings:
    return HttpSettings(timeout_seconds=one.timeout.total_seconds(), connections=one.connections, ca_file=one.ca_file)


def _twilio_settings(one: TwilioProviderSettings, url: str) -> TwilioSettings:
    previous = one.previous_auth_token
    return TwilioSettings(
        account_sid=one.account_sid,
        auth_token=one.auth_token.get_secret_value(),
        previous_auth_token=None if previous is None else previous.get_secret_value(),
        messaging_service_sid=one.messaging_service_sid,
        callback_url=url,
        base_url=one.base_url,
        codes=one.codes,
        http=_http_settings(one),
    )


def _sendgrid_settings(one: SendGridProviderSettings) -> SendGridSettings:
    return SendGridSettings(
        api_key=one.api_key.get_secret_value(),
        webhook_public_keys=one.webhook_public_keys,
        base_url=one.base_url,
        codes=one.codes,
        http=_http_settings(one),
    )


def _ses_settings(one: SesProviderSettings) -> SesSettings:
    return SesSettings(
        region=one.region,
        access_key_id=one.access_key_id,
        secret_access_key=one.secret_access_key.get_secret_value(),
        configuration_set=one.configuration_set,
        topic_arns=one.topic_arns,
        base_url=one.base_url,
        sns_url=one.sns_url,
        codes=one.codes,
        http=_http_settings(one),
    )


def _kannel_settings(one: KannelProviderSettings, url: str, receipt_key: str) -> KannelSettings:
    return KannelSettings(
        username=one.username,
        password=one.password.get_secret_value(),
        smsc=one.smsc,
        callback_url=url,
        receipt_key=receipt_key,
        inbound_token=None if one.inbound_token is None else one.inbound_token.get_secret_value(),
        base_url=one.base_url,
        codes=one.codes,
        http=_http_settings(one),
    )


def _apprise_settings(one: AppriseProviderSettings) -> AppriseSettings:
    return AppriseSettings(
        url=one.url.get_secret_value(),
        channel=one.channel,
        codes=one.codes,
        timeout_seconds=one.timeout.total_seconds(),
        concurrency=one.connections,
    )


def _webpush_settings(one: WebPushProviderSettings, settings: Settings) -> WebPushSettings:
    return WebPushSettings(
        vapid_private_key=one.vapid_private_key.get_secret_value(),
        subject=one.subject,
        allow_private_endpoints=settings.security.allow_private_endpoints,
        codes=one.codes,
        http=_http_settings(one),
    )


def _fcm_settings(one: FcmProviderSettings) -> FcmSettings:
    return FcmSettings(
        service_account=one.service_account.get_secret_value(),
        base_url=one.base_url,
        codes=one.codes,
        http=_http_settings(one),
    )


def _apns_settings(one: ApnsProviderSettings) -> ApnsSettings:
    return ApnsSettings(
        key=one.key.get_secret_value(),
        key_id=one.key_id,
        team_id=one.team_id,
        topic=one.topic,
        base_url=one.base_url,
        codes=one.codes,
        http=_http_settings(one),
    )
