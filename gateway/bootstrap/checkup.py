"""A check-up: each provider asked whether it would take messages, and each sending domain as receivers see it."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from gateway.bootstrap.connections import Outside, open_outside
from gateway.bootstrap.imprints import check_imprints
from gateway.bootstrap.naming import DnsNames
from gateway.bootstrap.stores import SystemClock, open_services
from gateway.delivery.upkeep.sending_domains import SendingDomain, SigningKey, check_domain, public_half
from gateway.domain.checkup import Finding, Verdict
from gateway.domain.recipients import Channel
from gateway.errors import GatewayError
from gateway.ports import Fitness, Probed
from gateway.ports.kinds import SendingSection
from gateway.settings import Settings
from gateway.settings.providers import (
    MailboxProviderSettings,
    SendGridProviderSettings,
    SmtpProviderSettings,
)
from gateway.storage.engines.engine import may_exist

_SENDGRID_SELECTORS: Final = ("s1", "s2")
"""What SendGrid names its keys unless it is asked for another name (its "automated security")."""


async def check_up(settings: Settings, dns_server: str | None = None) -> Sequence[Finding]:
    """Ask all at once; nothing is sent. `dns_server` (`host:port`) is asked in place of the system's.

    Raises ConfigurationError for settings with which the gateway would not start.
    """
    names = DnsNames(dns_server)
    domains = _domains(settings, await _senders(settings))
    outside = {name: one for name, one in settings.providers.items() if not isinstance(one, MailboxProviderSettings)}
    probed = asyncio.gather(*(_probe(name, one, settings) for name, one in outside.items()))
    checked = asyncio.gather(*(check_domain(domain, names) for domain in domains))
    of_domains = [finding for of_domain in await checked for finding in of_domain]
    return [*await probed, *of_domains, *await check_imprints(settings)]


async def _probe(name: str, one: Outside, settings: Settings) -> Finding:
    # Nothing is received here that would have to be signed.
    try:
        provider = open_outside(name, one, settings, SystemClock(), receipt_key="")
    except GatewayError as error:
        return Finding(subject=name, check="provider", verdict=Verdict.ERROR, detail=error.message)
    try:
        if not isinstance(provider, Probed):
            told = "It can be asked nothing without sending a message."
            return Finding(subject=name, check="provider", verdict=Verdict.WARNING, detail=told)
        found = await provider.health()
    finally:
        await provider.aclose()
    verdict = Verdict.OK if found.fitness is Fitness.OK else Verdict.ERROR
    detail = "" if verdict is Verdict.OK else f"{found.fitness.value}: {found.detail or 'it says no more'}"
    return Finding(subject=name, check="provider", verdict=verdict, detail=detail)


async def _senders(settings: Settings) -> Sequence[str]:
    """Who services send e-mail as; nobody where there is no store yet."""
    if not may_exist(settings.store.url):
        return ()
    async with open_services(settings) as services:
        known = await services.list_services()
    return [one.sender for service in known for one in service.senders if one.channel is Channel.EMAIL]


def _domains(settings: Settings, senders: Iterable[str]) -> Sequence[SendingDomain]:
    """Every domain in a sender of e-mail, with the keys that sign for it, and those that bounces come to."""
    relays = [one for one in settings.providers.values() if isinstance(one, SmtpProviderSettings)]
    own = [one.sender for one in settings.providers.values() if isinstance(one, SendingSection)]
    found = {domain for sender in (*own, *senders) if sender and (domain := _domain_of(sender))}
    hosted = {
        domain
        for one in settings.providers.values()
        if isinstance(one, SendGridProviderSettings) and one.sender and (domain := _domain_of(one.sender))
    }
    keys = [_key(key.domain, key.selector, key.key.get_secret_value()) for one in relays for key in one.dkim.values()]
    bounces = {one.bounce_domain for one in relays if one.bounce_domain is not None}
    return [
        *(SendingDomain(name=domain, keys=_keys_of(domain, keys, hosted)) for domain in sorted(found)),
        *(SendingDomain(name=domain, takes_bounces=True) for domain in sorted(bounces - found)),
    ]


def _keys_of(domain: str, keys: Iterable[SigningKey], hosted: Iterable[str]) -> tuple[SigningKey, ...]:
    """Ours, which sign for the domains below theirs as well, and those of a provider that signs for it."""
    ours = [key for key in keys if domain == key.domain or domain.endswith(f".{key.domain}")]
    theirs = _SENDGRID_SELECTORS if domain in hosted else ()
    return (*ours, *(SigningKey(domain=domain, selector=one, public=None) for one in theirs))


def _key(domain: str, selector: str, pem: str) -> SigningKey:
    return SigningKey(domain=domain, selector=selector, public=public_half(pem))


def _domain_of(sender: str) -> str | None:
    """Of `Name <a@b>` or `a@b`; None where it is no e-mail address."""
    address = sender.rpartition("<")[2].removesuffix(">").strip()
    _, at, domain = address.rpartition("@")
    return domain.lower() if at and "." in domain else None
