"""What one text means: a word alone acts at once, whatever only might mean it goes to a person."""

from collections.abc import Iterator, Sequence
from typing import Final

from gateway.domain.values import Value
from gateway.policy.stopwords.folding import fold
from gateway.policy.stopwords.lexicon import Lexicon, Meaning, Word

_READ_CHARACTERS: Final = 1_600
"""As much as ten segments hold; a word further on is not looked for."""
_SIGNS: Final = frozenset("🛑⛔🚫✋🔕")
"""What people send alone, without a word, and may mean as one."""
_SHORTEST_SLIP: Final = 4
"""Letters of a word whose misspelling is told from another word."""
_UNSPACED: Final = (
    (0x0590, 0x06FF),  # Hebrew and Arabic write prepositions on to the word
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x2E80, 0xD7FF),
)


class Reading(Value, frozen=True, kw_only=True):
    """What a text means, and by which words."""

    meaning: Meaning
    words: tuple[str, ...] = ()
    """As the list spells them: the one that acts, or those for which a person has to look."""
    languages: tuple[str, ...] = ()
    """Of the word that acts; empty where it is understood everywhere."""


def read_text(text: str, lexicon: Lexicon, country: str | None) -> Reading:
    """Say what a text from that country (of the number) asks for. Only a text that is the word, and nothing else, acts.

    Repeating the word, capitals, punctuation, quotes and emoji around it change nothing.
    """
    folded = fold(text[:_READ_CHARACTERS])
    tokens = folded.split()
    if not tokens:
        signs = tuple(sorted(_SIGNS.intersection(text)))
        return Reading(meaning=Meaning.UNCLEAR if signs else Meaning.OTHER, words=signs)
    whole = tokens[0] if len(set(tokens)) == 1 else folded
    if len(text) <= _READ_CHARACTERS and (found := _exact(whole, lexicon)):
        return _acting(found, country)
    near = tuple(dict.fromkeys(word.text for word in _near(tokens, lexicon, country)))
    return Reading(meaning=Meaning.UNCLEAR if near else Meaning.OTHER, words=near)


def _exact(whole: str, lexicon: Lexicon) -> tuple[Word, ...]:
    # Only STOP is recognised across spaces: to leave too easily harms nobody, to be brought back by chance does.
    return lexicon.exact.get(whole) or lexicon.run_together.get(whole.replace(" ", ""), ())


def _acting(found: Sequence[Word], country: str | None) -> Reading:
    counting = [word for word in found if word.counts_in(country)]
    if not counting:
        return Reading(meaning=Meaning.UNCLEAR, words=(found[0].text,))
    everywhere = any(not word.languages for word in counting)
    languages = dict.fromkeys(language for word in counting for language in word.languages)
    return Reading(
        meaning=counting[0].meaning, words=(counting[0].text,), languages=() if everywhere else tuple(languages)
    )


def _near(tokens: Sequence[str], lexicon: Lexicon, country: str | None) -> Iterator[Word]:
    """Words that stand within the text, or of which it is a misspelling."""
    spaced, joined = f" {' '.join(tokens)} ", "".join(tokens)
    for word in lexicon.words:
        if word.meaning is Meaning.HELP or not word.counts_in(country):
            continue
        within = word.folded in spaced if _is_unspaced(word.folded) else f" {word.folded} " in spaced
        if within or _is_slip(joined, word.folded.replace(" ", "")):
            yield word


def _is_unspaced(word: str) -> bool:
    return len(word) > 1 and any(first <= ord(word[0]) <= last for first, last in _UNSPACED)


def _is_slip(text: str, word: str) -> bool:
    """Whether one letter was forgotten, doubled, mistaken or swapped with its neighbour."""
    if len(word) < _SHORTEST_SLIP or abs(len(text) - len(word)) > 1 or text == word:
        return False
    start = next((at for at, (a, b) in enumerate(zip(text, word, strict=False)) if a != b), min(len(text), len(word)))
    rest, wanted = text[start:], word[start:]
    swapped = rest[:2] == wanted[1::-1] and rest[2:] == wanted[2:]
    return rest[1:] == wanted[1:] or rest[1:] == wanted or rest == wanted[1:] or swapped
