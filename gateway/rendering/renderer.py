"""The renderer: one snapshot, one language and plain values in, a channel's content out."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from babel import Locale

from gateway.domain.messages import Content
from gateway.domain.recipients import Channel
from gateway.domain.values import Value
from gateway.errors import ContentError, NotFound, RenderFailed
from gateway.localization import catalogs as localized
from gateway.localization.catalogs import Catalog, CatalogLibrary
from gateway.localization.locales import match, parents, to_tag
from gateway.rendering.localizing import Language, Missing, translate
from gateway.rendering.registry import TemplateLibrary
from gateway.rendering.remembering import Remembered
from gateway.rendering.templates import Snapshot, Template
from gateway.rendering.typesetting import RenderInput, Typesetter

__all__ = ["Fallback", "LocaleResolution", "Pin", "RenderInput", "Renderer"]

_MOST_REMEMBERED: Final = 10_000
_MOST_MISSING: Final = 50
"""Missing strings that are named; the first says enough, the rest helps translators."""


class Pin(Value, frozen=True, kw_only=True):
    """The templates and catalogs that one message is rendered from, whatever is published meanwhile."""

    templates: Snapshot
    catalogs: localized.Snapshot

    @property
    def version(self) -> str:
        """The catalogs' version; a template has its own."""
        return self.catalogs.version


@dataclass(frozen=True, slots=True, kw_only=True)
class LocaleResolution:
    """Which language a message is in, and why not a better one."""

    requested: str | None
    resolved: str
    missing: tuple[str, ...] = ()
    """Strings that better languages lacked, as `locale: msgid`."""
    languages: tuple[Language, ...] = field(default=(), repr=False, compare=False)
    """The resolved one, and those that follow should it fail for the data at hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """A language that was given up for the next one, to be counted."""

    template: str
    channel: Channel | None
    """None when a string was missing before any channel was rendered."""
    locale: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resolved:
    resolution: LocaleResolution
    given_up: tuple[Fallback, ...]


class Renderer:
    """Renders messages in one language each; never raises for a bad translation while the default can be rendered."""

    def __init__(
        self,
        templates: TemplateLibrary,
        catalogs: CatalogLibrary,
        on_fallback: Callable[[Fallback], None] = lambda _: None,
    ) -> None:
        self._templates = templates
        self._catalogs = catalogs
        self._on_fallback = on_fallback
        self._typesetter = Typesetter()
        self._missing: Remembered[tuple[str, ...]] = Remembered(_MOST_REMEMBERED)
        self._resolved: Remembered[Remembered[_Resolved]] = Remembered(1)
        """By the version of the catalogs: what callers ask for is without number, and each answer holds catalogs."""

    @property
    def templates(self) -> Snapshot:
        """The templates that serve now."""
        return self._templates.snapshot

    def pin(self) -> Pin:
        """What serves now, to be held for one message."""
        return Pin(templates=self._templates.snapshot, catalogs=self._catalogs.snapshot)

    def resolve(
        self, pin: Pin, template: Template, channels: Sequence[Channel], requested: str | None
    ) -> LocaleResolution:
        """The best language that has every string of all these channels, down to the default, which has them all."""
        found = self._resolved.get((), pin.version, _of_catalogs).get(
            (template.name, tuple(channels), requested),
            template.version,
            partial(self._resolve, pin, template, tuple(channels), requested),
        )
        for fallback in found.given_up:
            self._on_fallback(fallback)
        return found.resolution

    def _resolve(
        self, pin: Pin, template: Template, channels: tuple[Channel, ...], requested: str | None
    ) -> "_Resolved":
        default = pin.catalogs.default
        offered = tuple(dict.fromkeys((*pin.catalogs.offered, *template.variants)))
        candidates = match(requested, offered, default) if requested else (default,)
        languages = tuple(_language(pin.catalogs, locale) for locale in candidates)
        missing: list[str] = []
        given_up: list[Fallback] = []
        for language in languages[:-1]:  # the last one is the default, which lacks nothing
            lacking = self._lacking(template, channels, language)
            if not lacking:
                break
            missing += [f"{language.tag}: {msgid}" for msgid in lacking]
            given_up.append(Fallback(template=template.name, channel=None, locale=language.tag, reason=lacking[0]))
        left = languages[len(given_up) :]
        resolution = LocaleResolution(requested=requested, resolved=left[0].tag, missing=tuple(missing), languages=left)
        return _Resolved(resolution=resolution, given_up=tuple(given_up))

    def _lacking(self, template: Template, channels: tuple[Channel, ...], language: Language) -> tuple[str, ...]:
        """The strings that the language lacks for these channels."""
        return self._missing.get(
            (template.name, channels, language.tag),
            (template.version, language.catalog.version),
            partial(self._find_lacking, template, channels, language),
        )

    def _find_lacking(self, template: Template, channels: tuple[Channel, ...], language: Language) -> tuple[str, ...]:
        found = tuple(_find_missing(template, channels, language))[:_MOST_MISSING]
        return found or self._compile(template, channels, language)

    def _compile(self, template: Template, channels: Iterable[Channel], language: Language) -> tuple[str, ...]:
        """Compile all parts now: a translation that breaks the layout is as good as missing."""
        try:
            for channel in channels:
                self._typesetter.compiled(template, channel, language)
        except ContentError as error:
            return (error.message,)
        return ()

    def render(
        self, pin: Pin, template: Template, channel: Channel, resolution: LocaleResolution, given: RenderInput
    ) -> Content:
        """The channel's content in the resolved language, or whole in the next one when that fails for this data.

        Raises RenderFailed when not even the default language can be rendered.
        """
        for language in resolution.languages:
            try:
                return self._typesetter.typeset(template, channel, language, given)
            except ContentError as error:
                if language.locale == pin.catalogs.default:
                    raise RenderFailed(error.message) from error
                self._on_fallback(
                    Fallback(template=template.name, channel=channel, locale=language.tag, reason=error.message)
                )
        raise RenderFailed("the resolution has no language; make it with resolve()")


def _of_catalogs() -> Remembered[_Resolved]:
    return Remembered(_MOST_REMEMBERED)


def _find_missing(template: Template, channels: Iterable[Channel], language: Language) -> Iterable[str]:
    seen: set[tuple[object, ...]] = set()
    for channel in channels:
        for part in template.parts_in(channel, language.locale).values():
            for marked in part.strings:
                if (*marked.key, marked.names) in seen:
                    continue
                seen.add((*marked.key, marked.names))
                try:
                    translate(marked, language)
                except Missing as error:
                    yield error.message


def _language(catalogs: localized.Snapshot, locale: Locale) -> Language:
    """A locale with the catalog that it reads: its own, or its nearest parent's where only the template names it."""
    for member in (locale, *parents(locale)):
        try:
            return Language(catalog=catalogs.catalog(member), locale=locale)
        except NotFound:
            continue
    empty = Catalog(locale=locale, tag=to_tag(locale), version="", is_source=False, texts={})
    return Language(catalog=empty, locale=locale)
