"""The list of words, read and checked."""

import tomllib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from gateway.domain.values import Value
from gateway.policy.stopwords.folding import fold

SHIPPED: Final = Path(__file__).with_name("words.toml")


class Meaning(StrEnum):
    """What a text asks for."""

    STOP = "stop"
    START = "start"
    HELP = "help"
    UNCLEAR = "unclear"
    """It may mean STOP, or START: a person has to look."""
    OTHER = "other"


class Word(Value, frozen=True, kw_only=True):
    """One line of the list."""

    meaning: Meaning
    text: str
    """As it is advertised."""
    folded: str
    languages: tuple[str, ...]
    """BCP 47; empty: understood everywhere."""
    countries: tuple[str, ...]
    """Where alone it means this; empty: everywhere."""
    source: str
    confidence: str

    def counts_in(self, country: str | None) -> bool:
        """Whether it means this in a text from that country."""
        return not self.countries or country in self.countries


class Lexicon(Value, frozen=True, kw_only=True):
    """All words, by their folded spelling."""

    words: tuple[Word, ...]
    exact: Mapping[str, tuple[Word, ...]]
    run_together: Mapping[str, tuple[Word, ...]]
    """The STOP words without their spaces: OPT OUT, OPT-OUT and OPTOUT are one."""


def load_lexicon(path: Path = SHIPPED) -> Lexicon:
    """Read the list. Raises ValueError for a line without a known source, or for a word of two meanings."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    sources: dict[str, str] = document["sources"]
    words = tuple(
        _word(Meaning(meaning), line, sources)
        for meaning in (Meaning.STOP, Meaning.START, Meaning.HELP, Meaning.UNCLEAR)
        for line in document[meaning]["words"]
    )
    exact = _by((word.folded, word) for word in words)
    for spelling, found in exact.items():
        if len({word.meaning for word in found}) > 1:
            raise ValueError(f"{path}: {spelling!r} has two meanings")
    stops = (word for word in words if word.meaning is Meaning.STOP)
    return Lexicon(words=words, exact=exact, run_together=_by((word.folded.replace(" ", ""), word) for word in stops))


def _word(meaning: Meaning, line: Mapping[str, Any], sources: Mapping[str, str]) -> Word:
    if line["source"] not in sources or line["confidence"] not in ("high", "medium", "low"):
        raise ValueError(f"{line['text']}: name one of the sources, and a confidence of high, medium or low")
    return Word(
        meaning=meaning,
        text=line["text"],
        folded=fold(line["text"]),
        languages=tuple(line.get("languages", ())),
        countries=tuple(line.get("countries", ())),
        source=sources[line["source"]],
        confidence=line["confidence"],
    )


def _by(pairs: Iterable[tuple[str, Word]]) -> dict[str, tuple[Word, ...]]:
    found: dict[str, tuple[Word, ...]] = {}
    for spelling, word in pairs:
        found[spelling] = (*found.get(spelling, ()), word)
    return found
