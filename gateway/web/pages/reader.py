"""Who reads a page: their language, its direction, and how it writes dates and numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from babel import Locale
from markupsafe import escape

from gateway.localization.catalogs import Catalog, Snapshot
from gateway.localization.formats import Formats
from gateway.localization.locales import UnknownLocale, direction, match, parse_locale, to_tag

_MAX_HEADER: Final = 400
"""Characters of Accept-Language that are looked at; browsers send a tenth of that."""
_MAX_WISHES: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """The language a page is in, with its words and formats."""

    locale: Locale
    tag: str
    direction: Literal["ltr", "rtl"]
    formats: Formats
    catalog: Catalog

    def words(self) -> Mapping[str, object]:
        """The functions behind `{% trans %}` for one rendering; what is not translated stays in the source language."""
        return {"gettext": self._gettext}

    def say(self, message: str) -> str:
        """A string of the pages in this language; itself where it is not translated."""
        return self.catalog.gettext(None, message) or message

    def _gettext(self, message: str, /, **values: object) -> str:
        # Escaped, not trusted: no string of these pages holds markup, whoever translated it.
        return escape(self.say(message)) % values


def make_reader(wishes: tuple[str, ...], snapshot: Snapshot, timezone: str, now: datetime) -> Reader:
    """The best language on offer for someone who reads `wishes`, most wanted first."""
    locale = _choose(wishes, snapshot)
    return Reader(
        locale=locale,
        tag=to_tag(locale),
        direction=direction(locale),
        formats=Formats(locale, timezone, now),
        catalog=snapshot.catalog(locale),
    )


def _choose(wishes: tuple[str, ...], snapshot: Snapshot) -> Locale:
    for wish in wishes:
        try:
            best = match(wish, snapshot.offered, snapshot.default)[0]
        except UnknownLocale:
            continue
        if best != snapshot.default or parse_locale(wish).language == best.language:
            return best
    return snapshot.default


def accepted_languages(header: str) -> tuple[str, ...]:
    """The tags of an Accept-Language header, most wanted first (RFC 9110 §12.5.4); what is malformed is passed over."""
    weighted = []
    for position, wish in enumerate(header[:_MAX_HEADER].split(",")[:_MAX_WISHES]):
        tag, _, parameter = wish.strip().partition(";")
        weight = _weight(parameter)
        if tag and tag != "*" and weight > 0:
            weighted.append((-weight, position, tag.strip()))
    return tuple(tag for _, _, tag in sorted(weighted))


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return min(1.0, max(0.0, float(value)))
    except ValueError:
        return 0.0
