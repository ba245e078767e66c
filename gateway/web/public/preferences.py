"""The preference centre, `/u/{token}`: a GET shows and changes nothing, a POST is the person's word.

Link scanners follow links, so a GET must be harmless; mail programs post `List-Unsubscribe=One-Click` there
(RFC 8058), without cookies, and get the same answer whether or not the token is ours.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from gateway.delivery.unsubscribe import Preferences, Unsubscriber
from gateway.domain.preferences import ConsentState
from gateway.domain.recipients import Channel, JsonValue
from gateway.errors import NotFound
from gateway.web.body import arrived
from gateway.web.pages.environment import Pages

_PATH: Final = "/u/{token}"
_MOST_BYTES: Final = 16 * 1024
_ONE_CLICK: Final = ("List-Unsubscribe", "One-Click")
_USER_AGENT_LENGTH: Final = 200
WORDING: Final = (
    "Choose what we may send you, and how. Messages about your orders, appointments and security do not depend on this."
)
"""The sentence above the choices, kept with a consent in the words that were shown."""
Form = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One box of the form."""

    channel: Channel
    field: str
    """What the form sends when the box is ticked."""
    granted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferencePages:
    """Both directions of the link."""

    pages: Pages
    unsubscriber: Unsubscriber
    brand: str

    async def show(self, request: web.Request) -> web.StreamResponse:
        """`GET /u/{token}`: the choices as they stand, in the language of the message that led here."""
        try:
            found = await self.unsubscriber.preferences(request.match_info["token"])
        except NotFound:
            return self._unusable(request)
        return self._preferences(request, found)

    async def take(self, request: web.Request) -> web.StreamResponse:
        """`POST /u/{token}`: one click leaves at once; the form's choices are kept, then shown again."""
        token, form = request.match_info["token"], await _read_form(request)
        if _ONE_CLICK[1] in form.get(_ONE_CLICK[0], ()):
            return await self._leave(request, token)
        try:
            found = await self.unsubscriber.preferences(token)
        except NotFound:
            return self._unusable(request)
        granted = () if form.get("nothing") else form.get("granted", ())
        wanted = {
            (choice.channel, choice.topic): _field(choice.channel, choice.topic) in granted for choice in found.choices
        }
        reader = self.pages.reader(request, found.record.message.locale)
        await self.unsubscriber.choose(
            token, wanted, _evidence(request), wording=reader.say(WORDING), locale=reader.tag
        )
        # Shown by a GET of its own, so that loading the page again says nothing twice.
        raise web.HTTPSeeOther(request.rel_url.update_query(saved="1"))

    async def _leave(self, request: web.Request, token: str) -> web.Response:
        # Told no different, so that nobody learns which tokens are ours.
        with suppress(NotFound):
            await self.unsubscriber.one_click(token, _evidence(request))
        return self.pages.respond(request, "public/unsubscribed.html", brand=self.brand)

    def _preferences(self, request: web.Request, found: Preferences) -> web.Response:
        message = found.record.message
        return self.pages.respond(
            request,
            "public/preferences.html",
            reader=self.pages.reader(request, message.locale),
            brand=self.brand,
            saved="saved" in request.query,
            can_choose=message.to.id is not None,
            topics=_by_topic(found, first=message.topic),
        )

    def _unusable(self, request: web.Request) -> web.Response:
        return self.pages.respond(request, "public/unusable.html", status=404, brand=self.brand)


def preference_routes(*, pages: Pages, unsubscriber: Unsubscriber, brand: str) -> list[web.RouteDef]:
    """The two routes of the link."""
    preferences = PreferencePages(pages=pages, unsubscriber=unsubscriber, brand=brand)
    return [web.get(_PATH, preferences.show), web.post(_PATH, preferences.take)]


async def _read_form(request: web.Request) -> Form:
    """A small form in either of the encodings that RFC 8058 §3.2 allows."""
    if request.content_length is None or request.content_length > _MOST_BYTES:
        raise web.HTTPRequestEntityTooLarge(max_size=_MOST_BYTES, actual_size=request.content_length or 0)
    try:
        fields = await arrived(request, request.post())
    except ValueError as error:
        raise web.HTTPBadRequest from error
    return {name: [value for value in fields.getall(name) if isinstance(value, str)] for name in fields}


def _by_topic(found: Preferences, first: str | None) -> list[tuple[str, list[Choice]]]:
    """The choices of each topic; that of the message which led here stands first."""
    topics: dict[str, list[Choice]] = {}
    for choice in found.choices:
        topics.setdefault(choice.topic, []).append(
            Choice(
                channel=choice.channel,
                field=_field(choice.channel, choice.topic),
                granted=choice.state is ConsentState.GRANTED,
            )
        )
    return sorted(topics.items(), key=lambda pair: (pair[0] != first, pair[0]))


def _field(channel: Channel, topic: str) -> str:
    return f"{channel.value}:{topic}"


def _evidence(request: web.Request) -> dict[str, JsonValue]:
    return {"user_agent": request.headers.get("User-Agent", "")[:_USER_AGENT_LENGTH]}
