"""In which language somebody is answered who wrote a single word."""

from collections.abc import Sequence

from babel import Locale, UnknownLocaleError

from gateway.localization.locales import UnknownLocale, parse_locale


def reply_locale(languages: Sequence[str], known: str | None, country: str | None) -> str | None:
    """A BCP 47 tag: what the person reads, unless the word is of other languages alone; then the word's.

    `languages` are those of the word, none for a word of the whole world. Of somebody unknown the language that is
    spoken most in the country of the number (CLDR, likely subtags) counts. None where nothing tells.
    """
    usual = _language_of(country)
    for candidate in (known, usual):
        if candidate is not None and (not languages or _language(candidate) in languages):
            return candidate
    return next(iter(languages), known or usual)


def _language(tag: str) -> str | None:
    try:
        return parse_locale(tag).language
    except UnknownLocale:
        return None


def _language_of(country: str | None) -> str | None:
    if country is None:
        return None
    try:
        found = Locale.parse(f"und_{country}")
    except (UnknownLocaleError, ValueError):
        return None
    return f"{found.language}-{country}"
