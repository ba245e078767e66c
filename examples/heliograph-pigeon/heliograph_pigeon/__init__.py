"""Text messages by Pigeon: the kind that the entry point names, and the settings of an account."""

from typing import Annotated

from pydantic import Field, SecretStr

from heliograph_pigeon.provider import PigeonProvider, PigeonSettings
from providers.base import Capabilities, Channel, HttpProviderSection, Opening, ProviderKind
from providers.http import HttpSettings


class PigeonSection(HttpProviderSection):
    """The keys of `[providers.<name>]`, beside those that every provider by HTTP has."""

    api_key: Annotated[SecretStr, Field(min_length=1)]
    webhook_secret: Annotated[SecretStr, Field(min_length=16)]
    previous_webhook_secret: SecretStr | None = None
    """While the secret is being changed: webhooks may be signed with either."""
    base_url: str = "https://api.pigeon.example"


def open_pigeon(name: str, section: PigeonSection, opening: Opening) -> PigeonProvider:
    """Make the account of that name."""
    secrets = (section.webhook_secret, section.previous_webhook_secret)
    settings = PigeonSettings(
        api_key=section.api_key.get_secret_value(),
        webhook_secrets=tuple(secret.get_secret_value() for secret in secrets if secret is not None),
        webhook_url=opening.webhook_url,
        base_url=section.base_url,
        codes=section.codes,
        http=HttpSettings(
            timeout_seconds=section.timeout.total_seconds(),
            connections=section.connections,
            ca_file=section.ca_file,
        ),
    )
    return PigeonProvider(name, settings, opening.clock)


PIGEON = ProviderKind(
    section=PigeonSection, capabilities=Capabilities(channels=frozenset({Channel.SMS})), open=open_pigeon
)
