"""A service's own web server on loopback: keeps each call that it gets, and answers as it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from standardwebhooks.webhooks import Webhook

from gateway.domain.encoding import decode


@dataclass(frozen=True, slots=True)
class Heard:
    """One call."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def event(self) -> Any:
        """The CloudEvent."""
        return decode(self.body)

    def is_signed(self, secret: str) -> bool:
        """Whether the official library takes it for ours."""
        try:
            Webhook(secret).verify(self.body, dict(self.headers))
        except Exception:  # the library's own error and those of what it is made of
            return False
        return True


Reaction = Callable[[Heard], int | web.StreamResponse]


@dataclass(slots=True)
class Receiver:
    """Answers 204 to all, until `react` says otherwise."""

    url: str = ""
    heard: list[Heard] = field(default_factory=list)
    react: Reaction = lambda _: 204
    """By path: the status, or the whole answer."""
    open: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is not set nobody is answered."""

    def at(self, path: str) -> list[Heard]:
        """What came to a path."""
        return [one for one in self.heard if one.path == path]

    def types(self, path: str) -> list[str]:
        """The types of the events that came to a path."""
        return [one.event["type"] for one in self.at(path)]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Keep a call and answer it."""
        heard = Heard(request.path, {**request.headers}, await request.read())
        self.heard.append(heard)
        await self.open.wait()
        reaction = self.react(heard)
        return web.Response(status=reaction) if isinstance(reaction, int) else reaction


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver that listens for as long as the block lasts."""
    receiver = Receiver()
    receiver.open.set()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", receiver.answer)
    async with TestServer(app, host="127.0.0.1") as server:
        receiver.url = str(server.make_url("")).rstrip("/")
        yield receiver
        receiver.open.set()
