"""The postal addresses of the settings, and whether marketing e-mail shows one."""

from collections.abc import Sequence

from gateway.bootstrap.connections import mailbox_name
from gateway.bootstrap.content import make_templates
from gateway.delivery.dispatching.imprint import ImprintCheck, PostalAddress
from gateway.domain.checkup import Finding, Verdict
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


def imprint_check(settings: Settings, templates: TemplateLibrary) -> ImprintCheck:
    """The check that readiness asks: silent while e-mail goes to mailboxes only."""
    return ImprintCheck(lambda: templates.snapshot, postal_addresses(settings), leaves=mail_leaves(settings))


async def check_imprints(settings: Settings) -> Sequence[Finding]:
    """The same for a check-up, over the templates as they lie there."""
    if not mail_leaves(settings):
        return ()
    templates = make_templates(settings)
    await templates.refresh()
    warnings = imprint_check(settings, templates).warnings()
    return [
        Finding(subject="sender.postal_address", check="imprint", verdict=Verdict.WARNING, detail=told)
        for told in warnings
    ]


def mail_leaves(settings: Settings) -> bool:
    """Whether e-mail goes anywhere but to a mailbox."""
    kept = {name for name, one in settings.providers.items() if isinstance(one, MailboxProviderSettings)}
    targets = {name for route in settings.routes if route.channel is Channel.EMAIL for name in route.names}
    return bool(targets - kept - {mailbox_name(settings)})
