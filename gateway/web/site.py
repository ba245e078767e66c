"""Every page beside the API: the console, and what the links in messages open."""

from pathlib import Path
from typing import Final, Protocol

from aiohttp import web

from gateway.delivery.engagement.desk import EngagementDesk
from gateway.delivery.people.confirmation import Confirmation, ConfirmationLinks
from gateway.delivery.people.unsubscribe import Unsubscriber
from gateway.localization.catalogs import CatalogLibrary
from gateway.ports import AuditStore, Clock, EngagementStore, LogStore, MailboxStore
from gateway.resources import shipped_templates
from gateway.settings import Settings
from gateway.web.console.routes import console_routes
from gateway.web.pages.environment import Pages
from gateway.web.public.engagement import engagement_routes
from gateway.web.public.routes import public_routes

_BRAND: Final = "_layouts/brand.txt"
_NO_BRAND: Final = "Heliograph"


class Site(Protocol):
    """The running gateway, as far as pages need it."""

    @property
    def settings(self) -> Settings:
        """The settings that it was started with."""

    @property
    def clock(self) -> Clock:
        """Its clock."""

    @property
    def page_catalogs(self) -> CatalogLibrary:
        """The translations of the pages: the gettext domain `console`."""

    @property
    def log(self) -> LogStore:
        """The delivery log."""

    @property
    def mailbox(self) -> MailboxStore:
        """What went out through the mailbox."""

    @property
    def audit(self) -> AuditStore:
        """Who did what by hand, and why."""

    @property
    def engagements(self) -> EngagementStore:
        """Opens, clicks and conversions."""

    @property
    def engagement(self) -> EngagementDesk:
        """Where opens and clicks come in."""

    @property
    def unsubscriber(self) -> Unsubscriber:
        """What the links in messages do."""

    @property
    def confirmation(self) -> Confirmation:
        """Asks whether a person said it, and takes the answer."""

    @property
    def confirmation_links(self) -> ConfirmationLinks:
        """Reads the tokens of its links."""


def page_routes(site: Site) -> list[web.RouteDef]:
    """The routes of all pages."""
    settings = site.settings
    pages = Pages(catalogs=site.page_catalogs, clock=site.clock, timezone=settings.policy.default_timezone)
    brand = _brand(settings.content.templates or shipped_templates())
    return [
        *console_routes(
            pages=pages,
            settings=settings,
            log=site.log,
            engagements=site.engagements,
            mailbox=site.mailbox,
            audit=site.audit,
            clock=site.clock,
        ),
        *public_routes(
            pages=pages,
            unsubscriber=site.unsubscriber,
            confirmation=site.confirmation,
            confirmation_links=site.confirmation_links,
            brand=brand,
            clock=site.clock,
        ),
        *engagement_routes(pages=pages, desk=site.engagement, brand=brand),
    ]


def _brand(templates: Path) -> str:
    """Who speaks, as the messages' own layout says it."""
    try:
        return (templates / _BRAND).read_text(encoding="utf-8").strip() or _NO_BRAND
    except OSError:
        return _NO_BRAND
