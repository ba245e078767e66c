"""The preference centre, `/u/{token}`: a GET shows and changes nothing, a POST is the person's word.

Link scanners follow links, so a GET must be harmless; mail programs post `List-Unsubscribe=One-Click` there
(RFC 8058), without cookies, and get the same answer whether or not the token is ours.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Final

import pytz
from aiohttp import web

from gateway.delivery.people.unsubscribe import Preferences, Unsubscriber
from gateway.domain.preferences import ConsentState
from gateway.domain.recipients import Channel
from gateway.errors import NotFound
from gateway.ports import Clock
from gateway.web.body import read_form
from gateway.web.pages.environment import Pages
from gateway.web.public import wishes_form
from gateway.web.public.evidence import evidence_of
from gateway.web.public.menus import timezones, weekdays
from gateway.web.public.wishes_form import Fields, Form

_MOST_BYTES: Final = 16 * 1024
_ONE_CLICK: Final = ("List-Unsubscribe", "One-Click")
WORDING: Final = (
    "Choose what we may send you, and how. Messages about your orders, appointments and security do not depend on this."
)
"""The sentence above the choices, kept with a consent in the words that were shown."""


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
    clock: Clock

    async def show(self, request: web.Request) -> web.StreamResponse:
        """`GET /u/{token}`: the choices as they stand, in the language of the message that led here."""
        try:
            found = await self.unsubscriber.preferences(request.match_info["token"])
        except NotFound:
            return self._unusable(request)
        return self._preferences(request, found, wishes_form.fields_of(found.wishes, self._today(found)))

    async def take(self, request: web.Request) -> web.StreamResponse:
        """`POST /u/{token}`: one click leaves at once; the form's choices are kept, then shown again."""
        token, form = request.match_info["token"], await _read_form(request)
        if _ONE_CLICK[1] in form.get(_ONE_CLICK[0], ()):
            return await self._leave(request, token)
        try:
            found = await self.unsubscriber.preferences(token)
        except NotFound:
            return self._unusable(request)
        granted = frozenset(() if form.get("nothing") else form.get("granted", ()))
        wanted = {
            (choice.channel, choice.topic): _field(choice.channel, choice.topic) in granted for choice in found.choices
        }
        wishes, today = None, self._today(found)
        if wishes_form.has_wishes(form) and not form.get("nothing"):
            try:
                wishes = wishes_form.read_wishes(form, found.wishes, today)
            except wishes_form.WrongWish:
                kept = wishes_form.fields_of(found.wishes, today)
                return self._preferences(request, found, wishes_form.entered(form, kept), granted)
        reader = self.pages.reader(request, found.record.message.locale)
        await self.unsubscriber.choose(
            token, wanted, evidence_of(request), wishes=wishes, wording=reader.say(WORDING), locale=reader.tag
        )
        # Shown by a GET of its own, so that loading the page again says nothing twice.
        raise web.HTTPSeeOther(request.rel_url.update_query(saved="1"))

    async def _leave(self, request: web.Request, token: str) -> web.Response:
        # Told no different, so that nobody learns which tokens are ours.
        with suppress(NotFound):
            await self.unsubscriber.one_click(token, evidence_of(request))
        return self.pages.respond(request, "public/unsubscribed.html", brand=self.brand)

    def _preferences(
        self, request: web.Request, found: Preferences, fields: Fields, entered: frozenset[str] | None = None
    ) -> web.Response:
        """The page; with what was `entered` where something of it is wrong, and nothing was saved."""
        message = found.record.message
        reader = self.pages.reader(request, message.locale)
        return self.pages.respond(
            request,
            "public/preferences.html",
            status=200 if entered is None else 422,
            reader=reader,
            brand=self.brand,
            saved="saved" in request.query and entered is None,
            wrong=entered is not None,
            can_choose=message.to.id is not None,
            is_stopped=found.is_stopped,
            topics=_by_topic(found, message.topic, entered),
            fields=fields,
            weekdays=weekdays(reader.locale),
            timezones=timezones(reader.locale),
        )

    def _today(self, found: Preferences) -> date:
        """The date where the person lives."""
        return self.clock.now().astimezone(pytz.timezone(found.timezone)).date()

    def _unusable(self, request: web.Request) -> web.Response:
        return self.pages.respond(request, "public/unusable.html", status=404, brand=self.brand)


async def _read_form(request: web.Request) -> Form:
    """A small form in either of the encodings that RFC 8058 §3.2 allows."""
    if request.content_length is None or request.content_length > _MOST_BYTES:
        raise web.HTTPRequestEntityTooLarge(max_size=_MOST_BYTES, actual_size=request.content_length or 0)
    fields = await read_form(request)
    return {name: [value for value in fields.getall(name) if isinstance(value, str)] for name in fields}


def _by_topic(found: Preferences, first: str | None, entered: frozenset[str] | None) -> list[tuple[str, list[Choice]]]:
    """The choices of each topic, as kept or as `entered`; that of the message which led here stands first."""
    topics: dict[str, list[Choice]] = {}
    for choice in found.choices:
        field = _field(choice.channel, choice.topic)
        granted = choice.state is ConsentState.GRANTED if entered is None else field in entered
        topics.setdefault(choice.topic, []).append(Choice(channel=choice.channel, field=field, granted=granted))
    return sorted(topics.items(), key=lambda pair: (pair[0] != first, pair[0]))


def _field(channel: Channel, topic: str) -> str:
    return f"{channel.value}:{topic}"
