"""Locales: tags in and out, who may read what instead, what inherits from what, and the direction of writing."""

from collections.abc import Collection
from functools import lru_cache
from typing import Literal

from babel import Locale, localedata
from babel.core import get_global

from gateway.localization import matching
from gateway.localization.subtags import Subtags, UnknownLocale, maximize, parse_subtags, tag_of

__all__ = ["UnknownLocale", "direction", "match", "parents", "parse_locale", "subtags_of", "to_posix", "to_tag"]

# Scripts written from right to left: CLDR scriptMetadata, column RTL (living scripts and those with a Unicode block).
_RTL_SCRIPTS = (
    "Adlm Arab Aran Armi Avst Chrs Cprt Elym Garay Hatr Hebr Hung Khar Lydi Mand Mani Mend Merc Mero Narb Nbat Nkoo "
    "Orkh Ougr Palm Perm Phli Phlp Phnx Prti Rohg Samr Sarb Sogd Sogo Syrc Syre Syrj Syrn Thaa Yezi"
)


class _BorrowingLocale(Locale):
    """A locale that CLDR knows but keeps no file for, such as fr-JP: it formats as its nearest relative with a file.

    Babel refuses such tags, and the next best locale would lose the region or, worse, the script.
    """

    def __init__(self, subtags: Subtags, source: Locale) -> None:  # Locale.__init__ would refuse the tag
        self.language = subtags.language
        self.territory = subtags.region
        self.script = subtags.script
        self.variant = None
        self.modifier = None
        self._source = source

    @property
    def _data(self) -> localedata.LocaleDataDict:
        return self._source._data


@lru_cache(maxsize=4096)
def parse_locale(tag: str) -> Locale:
    """The locale that a BCP 47 or POSIX tag names, aliases resolved (`no`, `iw`, `zh-TW`).

    UnknownLocale (a ValueError) for what CLDR does not know, for pseudo-locales, and for more than 35 characters.
    """
    subtags = parse_subtags(tag)
    full = maximize(subtags)
    script = full.script if full.script != _usual_script(subtags.language) else subtags.script
    scripted = Subtags(language=subtags.language, script=script, region=subtags.region)
    full_script = Subtags(language=subtags.language, script=full.script, region=subtags.region)
    for candidate in (subtags, scripted, full_script):
        if localedata.exists(tag_of(candidate, "_")):
            return Locale(candidate.language, candidate.region, candidate.script, candidate.variant)
    return _BorrowingLocale(scripted, _nearest_with_data(scripted))


def _usual_script(language: str) -> str | None:
    return maximize(Subtags(language=language)).script


def _nearest_with_data(subtags: Subtags) -> Locale:
    candidates = [
        Subtags(language=subtags.language, script=subtags.script),
        Subtags(language=subtags.language, region=subtags.region),
        Subtags(language=subtags.language),
    ]
    for candidate in candidates:
        if localedata.exists(tag_of(candidate, "_")):
            return Locale(candidate.language, candidate.region, candidate.script)
    return Locale("root")


def subtags_of(locale: Locale) -> Subtags:
    """The subtags of a locale."""
    return Subtags(
        language=locale.language, script=locale.script, region=locale.territory, variant=locale.variant or None
    )


def to_tag(locale: Locale) -> str:
    """Canonical BCP 47 tag: `fr-CA`, `zh-Hant-HK`."""
    return tag_of(subtags_of(locale))


def to_posix(locale: Locale) -> str:
    """The name of the locale's folder of catalogs: `fr_CA`, `zh_Hant_HK`."""
    return tag_of(subtags_of(locale), "_")


def direction(locale: Locale) -> Literal["ltr", "rtl"]:
    """Which way the locale's script runs; the script is the likely one where the tag names none."""
    script = maximize(subtags_of(locale)).script
    return "rtl" if script is not None and script in _RTL_SCRIPTS else "ltr"


@lru_cache(maxsize=1024)
def parents(locale: Locale) -> tuple[Locale, ...]:
    """Where a locale's strings may be inherited from, nearest first: fr-CA → fr, es-MX → es-419, es.

    CLDR's parents within one language and one script; the root is never among them.
    """
    found: list[Locale] = []
    script = maximize(subtags_of(locale)).script
    name = _parent_name(to_posix(locale))
    while name is not None:
        if name.split("_")[0] != locale.language:
            break
        parent = parse_locale(name)
        if maximize(subtags_of(parent)).script != script:
            break
        found.append(parent)
        name = _parent_name(name)
    return tuple(found)


def _parent_name(name: str) -> str | None:
    explicit = get_global("parent_exceptions").get(name)
    if explicit is not None:
        return None if explicit == "root" else explicit
    return name.rpartition("_")[0] or None


def match(requested: str, offered: Collection[Locale], default: Locale) -> tuple[Locale, ...]:
    """The languages to try for a reader of `requested`, best first, ending at the default.

    Chosen as ICU's LocaleMatcher does: zh-HK gets zh-Hant, no gets nb, es-MX gets es-419, pt-AO gets pt-PT, zh-TW never
    gets zh-Hans. Each locale occurs once. UnknownLocale where `requested` is no locale.
    """
    return _match(requested, tuple(offered), default)


@lru_cache(maxsize=4096)
def _match(requested: str, offered: tuple[Locale, ...], default: Locale) -> tuple[Locale, ...]:
    by_subtags = {subtags_of(locale): locale for locale in (*offered, default)}
    ranked = [by_subtags[subtags] for subtags in matching.rank(parse_subtags(requested), by_subtags)]
    before_default = ranked[: ranked.index(default)] if default in ranked else ranked
    return (*before_default, default)
