"""Which of the offered languages a reader reads best: CLDR's language matching, as ICU's LocaleMatcher does it."""

from collections.abc import Iterable
from functools import lru_cache

from gateway.localization.language_distances import (
    LANGUAGE_DISTANCES,
    PARADIGM_TAGS,
    REGION_CLUSTERS,
    SCRIPT_DISTANCES,
)
from gateway.localization.subtags import Subtags, maximize, tag_of

THRESHOLD = 50
"""From this distance on a reader is better served by the default language (ICU uses the same)."""

_UNRELATED_LANGUAGES = 80
_UNRELATED_SCRIPTS = 50
_OTHER_REGION = 4


@lru_cache(maxsize=1)
def _pairs() -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], int]]:
    """The two tables as (wanted, offered) → distance."""
    languages, scripts = (
        {
            (wanted, offered): distance
            for distance, rows in table.items()
            for offered, readers in rows.items()
            for wanted in readers.split()
        }
        for table in (LANGUAGE_DISTANCES, SCRIPT_DISTANCES)
    )
    return languages, scripts


@lru_cache(maxsize=16384)
def distance(wanted: Subtags, offered: Subtags) -> int:
    """How far a text in `offered` is from a reader of `wanted`, both maximized: 0 is the same, from 50 on unread."""
    languages, scripts = _pairs()
    total = 0
    if wanted.language != offered.language:
        total += languages.get((wanted.language, offered.language), _UNRELATED_LANGUAGES)
    if wanted.script != offered.script:
        pair = (f"{wanted.language}_{wanted.script}", f"{offered.language}_{offered.script}")
        total += scripts.get(pair, _UNRELATED_SCRIPTS)
    if wanted.region != offered.region:
        total += _region_distance(wanted, offered)
    return total


def _region_distance(wanted: Subtags, offered: Subtags) -> int:
    if wanted.language != offered.language:
        return _OTHER_REGION
    cluster = REGION_CLUSTERS.get(f"{wanted.language}_{wanted.script}") or REGION_CLUSTERS.get(wanted.language)
    if cluster is None:
        return _OTHER_REGION
    if (wanted.region in cluster) != (offered.region in cluster):
        return _OTHER_REGION + 1
    # English outside of America is written after the British model, whatever the country.
    if wanted.language == "en" and wanted.region not in cluster and offered.region == "GB":
        return _OTHER_REGION - 1
    return _OTHER_REGION


def rank(wanted: Subtags, offered: Iterable[Subtags]) -> list[Subtags]:
    """The offers that a reader of `wanted` can read, best first; equally near ones by how usual they are, then name."""
    reader = maximize(wanted)
    near = [
        (distance(reader, maximize(offer)), _unlikeliness(offer), tag_of(offer, "_"), offer)
        for offer in offered
        if distance(reader, maximize(offer)) < THRESHOLD
    ]
    return [offer for *_, offer in sorted(near, key=lambda item: item[:3])]


def _unlikeliness(offer: Subtags) -> tuple[bool, bool]:
    usual = maximize(Subtags(language=offer.language, script=offer.script))
    return maximize(offer).region != usual.region, tag_of(offer, "_") not in PARADIGM_TAGS
