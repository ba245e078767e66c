"""Handlers of pages: a refusal is a page too, in the reader's language."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from gateway.errors import NotFound
from gateway.web.pages.environment import Pages

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def as_page(pages: Pages, handler: Handler) -> Handler:
    """The handler, with what it does not find told as a page; other errors are the middleware's."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except NotFound:
            return pages.respond(request, "missing.html", status=404)

    return handle
