"""Language tags taken apart: BCP 47 or POSIX spelling in, canonical CLDR subtags out."""

import re
from dataclasses import dataclass
from functools import lru_cache

import babel
from babel import localedata
from babel.core import get_global


class UnknownLocale(ValueError):
    """The tag is not one that CLDR knows; `tag` is what was asked, shortened for messages."""

    def __init__(self, tag: str) -> None:
        shown = tag if len(tag) <= _MAX_TAG else tag[:_MAX_TAG] + "…"
        super().__init__(f"unknown locale {shown!r}: give a BCP 47 tag such as fr-CA")
        self.tag = shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Subtags:
    """The parts of a locale that choose a text; never empty strings, region and variant in upper case as in CLDR."""

    language: str
    script: str | None = None
    region: str | None = None
    variant: str | None = None


_MAX_TAG = 35  # RFC 5646 §4.4.1: room for every tag in use
# RFC 5646 §2.1 without grandfathered tags; extensions (-u-…) and private use say nothing on which text to choose.
_BCP47 = re.compile(
    r"(?P<language>[a-z]{2,3})(?:-(?P<extlang>[a-z]{3}))?(?:-(?P<script>[a-z]{4}))?(?:-(?P<region>[a-z]{2}|[0-9]{3}))?"
    r"(?P<variants>(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)(?:-[a-wy-z0-9](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?",
    re.ASCII,
)
_POSIX = re.compile(r"(?P<tag>[A-Za-z0-9_-]+)(?:\.[A-Za-z0-9-]+)?(?:@(?P<modifier>[A-Za-z0-9]+))?", re.ASCII)
# glibc's modifiers that name a script (sr_RS@latin); the others (euro, …) do not change the text.
_POSIX_SCRIPTS = {"latin": "latn", "cyrillic": "cyrl", "devanagari": "deva", "arabic": "arab"}
# CLDR made `no` the parent of nb and nn, but what is tagged `no` is Bokmål (CLDR languageMatching: distance 1).
_LANGUAGE_ALIASES = {"no": "nb", "twi": "ak", "tw": "ak"}
_NO_LANGUAGES = frozenset({"und", "mul", "mis", "zxx", "root"})
_NO_REGIONS = frozenset({"ZZ", "XA", "XB"})


def parse_subtags(tag: str) -> Subtags:
    """Read a tag in either spelling and give its canonical subtags; UnknownLocale if CLDR knows no such thing."""
    if len(tag) > _MAX_TAG or (posix := _POSIX.fullmatch(tag)) is None:
        raise UnknownLocale(tag)
    found = _BCP47.fullmatch(posix["tag"].replace("_", "-").lower())
    if found is None:
        raise UnknownLocale(tag)
    language = found["extlang"] or found["language"]
    script = found["script"] or _POSIX_SCRIPTS.get((posix["modifier"] or "").lower())
    variant = found["variants"].split("-")[1] if found["variants"] else None
    subtags = _canonical(language, script, found["region"], variant)
    if not _is_known(subtags):
        raise UnknownLocale(tag)
    return subtags


def _canonical(language: str, script: str | None, region: str | None, variant: str | None) -> Subtags:
    alias = str(get_global("language_aliases").get(language, language)).split("_")
    language = _LANGUAGE_ALIASES.get(alias[0], alias[0])
    # An alias may imply a script or a region (sh is sr in Latin script); what was written stands.
    implied_script = next((part for part in alias[1:] if len(part) == 4), None)
    implied_region = next((part for part in alias[1:] if len(part) != 4), None)
    script = script.title() if script else implied_script
    region = region.upper() if region else implied_region
    if region:
        region = get_global("territory_aliases").get(region, [region])[0]
    return Subtags(language=language, script=script, region=region, variant=variant.upper() if variant else None)


def _is_known(subtags: Subtags) -> bool:
    names = _known_names()
    return (
        subtags.language not in _NO_LANGUAGES
        and subtags.language in names["languages"]
        and (subtags.script is None or subtags.script in names["scripts"])
        and (subtags.region is None or (subtags.region in names["regions"] and subtags.region not in _NO_REGIONS))
    )


@lru_cache(maxsize=1)
def _known_names() -> dict[str, frozenset[str]]:
    """Every subtag that CLDR names in English, or has data or likely subtags for."""
    english = babel.Locale("en")
    with_data = {identifier.split("_")[0] for identifier in localedata.locale_identifiers()}
    likely = {str(key).split("_")[0] for key in get_global("likely_subtags")}
    return {
        "languages": frozenset(str(key).split("_")[0] for key in english.languages) | with_data | likely,
        "scripts": frozenset(english.scripts),
        "regions": frozenset(english.territories),
    }


@lru_cache(maxsize=4096)
def maximize(subtags: Subtags) -> Subtags:
    """Fill in the script and region that a reader of the tag most likely means (UTS #35, likely subtags)."""
    likely = get_global("likely_subtags")
    language, script, region = subtags.language, subtags.script, subtags.region
    for key in (f"{language}_{script}_{region}", f"{language}_{script}", f"{language}_{region}", language):
        parts = str(likely.get(key, "")).split("_")
        if len(parts) == 3:
            return Subtags(language=language, script=script or parts[1], region=region or parts[2])
    return Subtags(language=language, script=script, region=region)


def tag_of(subtags: Subtags, separator: str = "-") -> str:
    """Join the subtags; a variant is lower case in BCP 47 and upper case in CLDR's own names."""
    variant = subtags.variant.lower() if subtags.variant and separator == "-" else subtags.variant
    return separator.join(part for part in (subtags.language, subtags.script, subtags.region, variant) if part)
