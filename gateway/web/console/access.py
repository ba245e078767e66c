"""Who may look without signing in: someone at this machine, while the gateway is a newcomer's own."""

from ipaddress import ip_address
from typing import Final

from aiohttp import web
from yarl import URL

from gateway.settings import Settings
from gateway.web.pages.environment import Pages
from gateway.web.pages.handlers import Handler

_PROXY_HEADERS: Final = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")
"""Never believed; but who sends one of them speaks for somebody else."""
_EMBEDDED_SCHEME: Final = "sqlite"


def guarded(pages: Pages, settings: Settings, handler: Handler) -> Handler:
    """The handler, behind a door that is open on loopback in embedded mode and shut everywhere else."""
    may_open = is_embedded(settings) and not is_published(settings)

    async def handle(request: web.Request) -> web.StreamResponse:
        if may_open and is_at_this_machine(request):
            return await handler(request)
        return pages.respond(request, "console/closed.html", status=403)

    return handle


def is_embedded(settings: Settings) -> bool:
    """Whether the store is a file of this machine."""
    return settings.store.url.startswith(_EMBEDDED_SCHEME)


def is_published(settings: Settings) -> bool:
    """Whether the operator named a public address: then a proxy on this machine may stand before us."""
    given = settings.server.public_url
    return bool(given) and not _is_loopback_name(URL(given).host)


def is_at_this_machine(request: web.Request) -> bool:
    """Whether the connection itself comes from loopback and was asked for by a loopback name.

    The name is checked because a foreign page can make its own name point at 127.0.0.1 (DNS rebinding) and read
    what a browser on this machine is shown.
    """
    peer = request.transport.get_extra_info("peername") if request.transport else None
    if not peer or not _is_loopback_address(str(peer[0])):
        return False
    return _is_loopback_name(_host_of(request)) and not any(name in request.headers for name in _PROXY_HEADERS)


def is_from_here(request: web.Request) -> bool:
    """Whether a form was sent from one of our own pages, as far as the browser says: another's must do nothing here."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return False
    origin = request.headers.get("Origin")
    return origin is None or URL(origin).authority == request.headers.get("Host")


def _host_of(request: web.Request) -> str | None:
    try:
        return URL(f"http://{request.headers.get('Host', '')}").host
    except ValueError:
        return None


def _is_loopback_name(host: str | None) -> bool:
    if not host:
        return False
    return host == "localhost" or host.endswith(".localhost") or _is_loopback_address(host)


def _is_loopback_address(text: str) -> bool:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
