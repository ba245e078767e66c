"""`/u/{token}`: one address for every link that a message carries; the token says which page it is."""

from typing import Final

from aiohttp import web

from gateway.delivery.people.confirmation import Confirmation, ConfirmationLinks
from gateway.delivery.people.unsubscribe import Unsubscriber
from gateway.ports import Clock
from gateway.web.pages.environment import Pages
from gateway.web.public.confirmation import ConfirmationPages
from gateway.web.public.preferences import PreferencePages

_PATH: Final = "/u/{token}"


def public_routes(
    *,
    pages: Pages,
    unsubscriber: Unsubscriber,
    confirmation: Confirmation,
    confirmation_links: ConfirmationLinks,
    brand: str,
    clock: Clock,
) -> list[web.RouteDef]:
    """Both directions of the links."""
    preferences = PreferencePages(pages=pages, unsubscriber=unsubscriber, brand=brand, clock=clock)
    confirmations = ConfirmationPages(pages=pages, confirmation=confirmation, brand=brand)

    def page_of(request: web.Request) -> PreferencePages | ConfirmationPages:
        confirms = confirmation_links.read(request.match_info["token"]) is not None
        return confirmations if confirms else preferences

    async def show(request: web.Request) -> web.StreamResponse:
        return await page_of(request).show(request)

    async def take(request: web.Request) -> web.StreamResponse:
        return await page_of(request).take(request)

    return [web.get(_PATH, show), web.post(_PATH, take)]
