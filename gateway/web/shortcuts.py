"""Calls whose path has no parameters, found by one look-up: to the router each would be a resource to resolve."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

from aiohttp import web

from gateway.web.middlewares import Guard

Answering = Callable[[Any], Awaitable[web.StreamResponse]]
Shortcuts = Mapping[tuple[str, str], Answering]
"""Guarded handlers by method and path."""

SHORTCUTS: Final = web.AppKey[Shortcuts]("shortcuts")


def shortcuts_to(routes: Iterable[web.RouteDef], guard: Guard) -> Shortcuts:
    """Every route that is one path; the router knows it too."""
    return {
        (route.method, route.path): partial(guard.answer, handler=route.handler, route=route.path)
        for route in routes
        if "{" not in route.path
    }


def shortened(router: Answering, shortcuts: Shortcuts) -> Answering:
    """The router, but for the shortcuts; a caller who waits for a `100 Continue` is the router's too."""

    def answer(request: web.Request) -> Awaitable[web.StreamResponse]:
        shortcut = shortcuts.get((request.method, request.raw_path))
        return router(request) if shortcut is None or "Expect" in request.headers else shortcut(request)

    return answer
