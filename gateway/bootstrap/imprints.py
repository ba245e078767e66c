"""The postal addresses of the settings, and whether marketing e-mail shows one."""

from gateway.delivery.dispatching.imprint import ImprintCheck, PostalAddress
from gateway.delivery.dispatching.routing import RoutingTable
from gateway.domain.recipients import Channel
from gateway.rendering.registry import TemplateLibrary
from gateway.settings import Settings
from gateway.settings.providers import MailboxProviderSettings


def postal_addresses(settings: Settings) -> tuple[PostalAddress, ...]:
    """All that are set; the one for everybody is among them where there is one."""
    sender = settings.sender
    special = [
        PostalAddress(
            lines=tuple(one.address.splitlines()), countries=frozenset(one.countries), locales=frozenset(one.locales)
        )
        for one in sender.postal_addresses
    ]
    common = [PostalAddress(lines=tuple(sender.postal_address.splitlines()))] if sender.postal_address else []
    return (*special, *common)


def imprint_check(settings: Settings, templates: TemplateLibrary, routing: RoutingTable) -> ImprintCheck:
    """The check that readiness asks: silent while e-mail goes to mailboxes only."""
    kept = {name for name, one in settings.providers.items() if isinstance(one, MailboxProviderSettings)}
    targets = {name for route in routing.routes if route.channel is Channel.EMAIL for name in route.providers}
    return ImprintCheck(
        lambda: templates.snapshot, postal_addresses(settings), leaves=bool(targets - kept - {routing.mailbox})
    )
