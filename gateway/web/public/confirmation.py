"""The page behind the link that asks for confirmation: a GET shows what it is about, a POST grants."""

from dataclasses import dataclass

from aiohttp import web

from gateway.delivery.people.confirmation import Asked, Confirmation, Standing
from gateway.errors import NotFound
from gateway.web.pages.environment import Pages
from gateway.web.public.evidence import evidence_of

_SHOWN = frozenset({Standing.WAITING, Standing.CONFIRMED})
"""What is over is told no different from what is not ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmationPages:
    """Both directions of the link."""

    pages: Pages
    confirmation: Confirmation
    brand: str

    async def show(self, request: web.Request) -> web.StreamResponse:
        """`GET /u/{token}`: what is asked, in the language in which it was signed up for; nothing is changed."""
        try:
            asked = await self.confirmation.look(request.match_info["token"])
        except NotFound:
            return self._unusable(request)
        return self._answer(request, asked)

    async def take(self, request: web.Request) -> web.StreamResponse:
        """`POST /u/{token}`: the person's yes; a repeat changes nothing."""
        try:
            asked = await self.confirmation.confirm(request.match_info["token"], evidence_of(request))
        except NotFound:
            return self._unusable(request)
        if asked.standing is Standing.CONFIRMED:
            # Shown by a GET of its own, so that loading the page again says nothing twice.
            raise web.HTTPSeeOther(request.rel_url)
        return self._answer(request, asked)

    def _answer(self, request: web.Request, asked: Asked) -> web.Response:
        if asked.standing not in _SHOWN:
            return self._unusable(request)
        return self.pages.respond(
            request,
            "public/confirm.html",
            reader=self.pages.reader(request, asked.pending.locale),
            brand=self.brand,
            confirmed=asked.standing is Standing.CONFIRMED,
            topic=asked.pending.topic,
            channel=asked.pending.channel.value,
        )

    def _unusable(self, request: web.Request) -> web.Response:
        return self.pages.respond(request, "public/unusable.html", status=404, brand=self.brand)
