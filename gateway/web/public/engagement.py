"""`/o/{token}` and `/c/{token}`: the pixel of an e-mail, and links that tell of a click before they lead on.

A link leads where its signed token says and nowhere else, also while nothing can be kept of it.
"""

from dataclasses import dataclass
from typing import Final

from aiohttp import web

from gateway.delivery.engagement.desk import EngagementDesk, Visit
from gateway.web.pages.environment import Pages

_PIXEL: Final = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00"
    b"\x01\x00\x00\x02\x02D\x01\x00;"
)
"""A transparent GIF of one pixel."""
_PURPOSES: Final = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
_LONGEST: Final = 400
_HEADERS: Final = {
    # Each time it is asked for is told, and no address of a reader's goes to the next site.
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}
_IMAGE_HEADERS: Final = {**_HEADERS, "Cross-Origin-Resource-Policy": "cross-origin"}


@dataclass(frozen=True, slots=True, kw_only=True)
class EngagementPages:
    """Both addresses."""

    pages: Pages
    desk: EngagementDesk
    brand: str

    async def open(self, request: web.Request) -> web.StreamResponse:
        """`GET /o/{token}`: the pixel; 404 for a token that is not ours."""
        if not await self.desk.opened(request.match_info["token"], visit_of(request)):
            return web.Response(status=404, headers=_IMAGE_HEADERS)
        return web.Response(body=_PIXEL, content_type="image/gif", headers=_IMAGE_HEADERS)

    async def click(self, request: web.Request) -> web.StreamResponse:
        """`GET /c/{token}`: on to where the link leads; a page that says so for one that is not ours."""
        target = await self.desk.clicked(request.match_info["token"], visit_of(request))
        if target is None:
            return self.pages.respond(request, "public/unusable.html", status=404, brand=self.brand)
        # As it was signed: aiohttp's own redirects would write it anew.
        return web.Response(status=302, headers={**_HEADERS, "Location": target})


def visit_of(request: web.Request) -> Visit:
    """What a request says of the program that made it; never an address."""
    told = (request.headers.get(name, "") for name in _PURPOSES)
    return Visit(
        method=request.method,
        user_agent=_text(request.headers.get("User-Agent", "")),
        purpose=_text(next(filter(None, told), "")),
    )


def _text(header: str) -> str:
    """A header as a text that can be kept: bytes that are no UTF-8 come as lone surrogates."""
    return header[:_LONGEST].encode("utf-8", "replace").decode()


def engagement_routes(*, pages: Pages, desk: EngagementDesk, brand: str) -> list[web.RouteDef]:
    """The routes, which answer HEAD as well."""
    found = EngagementPages(pages=pages, desk=desk, brand=brand)
    return [web.get("/o/{token}", found.open), web.get("/c/{token}", found.click)]
