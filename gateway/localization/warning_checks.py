"""Checks of one entry that a translator should look at; the text is sent all the same.

An entry's flag `ignore-<check>` silences one of them, as in Weblate.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator

from gateway.localization.findings import Finding, Severity, Subject, finding
from gateway.localization.locales import subtags_of
from gateway.localization.plurals import categories
from gateway.localization.subtags import maximize

# What is no prose: placeholders, tags, entities, addresses.
_NOT_PROSE = re.compile(
    r"%\([^()]*\)[a-zA-Z]|%%|</?[A-Za-z][^<>]*>|&[A-Za-z#0-9]+;|https?://\S+"
    r"|(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
)
_WORD = re.compile(r"[^\W\d_]+")
_ENDINGS = {
    **dict.fromkeys(".。।۔｡។።", "."),
    **dict.fromkeys("?？؟", "?"),
    **dict.fromkeys("!！", "!"),
    **dict.fromkeys(":：", ":"),
    **dict.fromkeys(",，،、", ","),
    "…": "…",
}
_UNPUNCTUATED = frozenset({"th", "lo", "my"})  # sentences end without a mark
_INVISIBLE = re.compile("[\u200b\ufeff\u00ad\u180e]")
_DOUBLE_WORD = re.compile(r"\b([^\W\d_]+)\s+\1\b", re.IGNORECASE)
# Two of them in a row are grammar.
_DOUBLED_BY_GRAMMAR = frozenset({"nous", "vous", "die", "der", "das", "sie", "had", "that", "bye", "si", "se", "het"})
_FRENCH_SPACING = re.compile(r"[\w)\]%] [;!?»]|[\w)\]%] :(?=\s|$)|« ")
_BRACKETS = (("(（", ")）"), ("[", "]"), ("«", "»"), ("「", "」"))
_SCRIPT_NAMES: dict[str, tuple[str, ...]] = {
    "Latn": ("LATIN", "FULLWIDTH LATIN"),
    "Cyrl": ("CYRILLIC",),
    "Grek": ("GREEK",),
    "Arab": ("ARABIC",),
    "Hebr": ("HEBREW",),
    "Deva": ("DEVANAGARI",),
    "Thai": ("THAI",),
    "Hans": ("CJK",),
    "Hant": ("CJK",),
    "Jpan": ("CJK", "HIRAGANA", "KATAKANA"),
    "Kore": ("HANGUL", "CJK"),
}


def check_warnings(subject: Subject) -> Iterator[Finding]:
    """Every warning on an entry that its flags do not silence."""
    for item in _all_warnings(subject):
        if f"ignore-{item.check}" not in subject.entry.flags:
            yield item


def _all_warnings(subject: Subject) -> Iterator[Finding]:
    entry = subject.entry
    if not any(entry.msgstr):
        yield _warning("untranslated", subject, "no translation")
        return
    if entry.is_fuzzy:
        yield _warning("fuzzy", subject, "a person has to confirm the translation; until then it is not sent")
        return
    if entry.previous is not None:
        yield _warning("stale", subject, "the source changed since the translation was made")
    for check in _CHECKS:
        yield from check(subject)


def _warning(check: str, subject: Subject, message: str) -> Finding:
    return finding(check, Severity.WARNING, subject, message)


def _prose(text: str) -> str:
    return _NOT_PROSE.sub(" ", text)


def _check_sameness(subject: Subject) -> Iterator[Finding]:
    entry = subject.entry
    if len(entry.msgstr) > 1 and len(set(entry.msgstr)) == 1 and len(categories(subject.locale)) > 1:
        yield _warning("same-plurals", subject, "all forms are alike")
    # One word, a hyphenated one too, may well be the same in both languages; a phrase hardly.
    for source, text in subject.pairs:
        if text == source and sum(bool(_WORD.search(word)) for word in _prose(source).split()) > 1:
            yield _warning("unchanged", subject, "the translation equals the source")
            return


def _check_spaces(subject: Subject) -> Iterator[Finding]:
    for source, text in subject.pairs:
        if (source[:1] == " ") != (text[:1] == " ") or (source[-1:] == " ") != (text[-1:] == " "):
            yield _warning("space-edge", subject, "source and translation differ in a space at an end")
        if "  " in text and "  " not in source:
            yield _warning("double-space", subject, "two spaces in a row")


def _check_ends(subject: Subject) -> Iterator[Finding]:
    if subject.locale.language in _UNPUNCTUATED:
        return
    for source, text in subject.pairs:
        wanted, found = _ending(source), _ending(text)
        if wanted != found:
            yield _warning("end-punctuation", subject, f"ends with {found or 'no mark'!r}, the source with {wanted!r}")


def _ending(text: str) -> str:
    bare = text.rstrip(" \u00a0\u202f\u200e\u200f\u2069\"'»”“’‘)）」")
    if bare.endswith("..."):
        return "…"
    return _ENDINGS.get(bare[-1:], "")


def _check_french_spacing(subject: Subject) -> Iterator[Finding]:
    # In an SMS a no-break space would cost more than half of the room.
    if subject.locale.language != "fr" or subject.is_sms:
        return
    for text in subject.entry.msgstr:
        found = _FRENCH_SPACING.search(_prose(text))
        if found:
            yield _warning("punctuation-spacing", subject, f"a no-break space belongs into {found[0]!r}")


def _check_numbers(subject: Subject) -> Iterator[Finding]:
    wanted = [_numbers(source) for source in subject.sources]
    for text in subject.entry.msgstr:
        if _numbers(text) not in wanted:
            yield _warning("numbers", subject, "the numbers differ from the source's")


def _numbers(text: str) -> Counter[int]:
    return Counter(int(digits) for digits in re.findall(r"\d{1,15}", _prose(text)))


def _check_words(subject: Subject) -> Iterator[Finding]:
    source = " ".join(subject.sources)
    for text in subject.entry.msgstr:
        double = _DOUBLE_WORD.search(_prose(text))
        if double and double[1].lower() not in _DOUBLED_BY_GRAMMAR and not _DOUBLE_WORD.search(source):
            yield _warning("double-word", subject, f"{double[0]!r}")
        invisible = _INVISIBLE.search(text)
        if invisible and invisible[0] not in source:
            yield _warning("invisible-char", subject, f"U+{ord(invisible[0]):04X} cannot be seen")
        for opening, closing in _BRACKETS:
            if sum(text.count(mark) for mark in opening) != sum(text.count(mark) for mark in closing):
                yield _warning("brackets", subject, f"{opening[0]}…{closing[0]} are not balanced")


def _check_scripts(subject: Subject) -> Iterator[Finding]:
    names = _SCRIPT_NAMES.get(maximize(subtags_of(subject.locale)).script or "")
    known = {word for source in subject.sources for word in _WORD.findall(source)}
    for text in subject.entry.msgstr:
        prose = _prose(text)
        for word in _WORD.findall(prose):
            scripts = {_script(letter) for letter in word} & {"LATIN", "CYRILLIC", "GREEK"}
            if len(scripts) > 1:
                yield _warning("mixed-script", subject, f"{word!r} mixes {' and '.join(sorted(scripts))} letters")
        # Names that the source has too are written in its script.
        letters = [letter for word in _WORD.findall(prose) if word not in known for letter in word]
        if names and len(letters) >= 8:
            own = sum(unicodedata.name(letter, "").startswith(names) for letter in letters)
            if own * 2 < len(letters):
                yield _warning("wrong-script", subject, "most letters are not of the language's script")


def _script(letter: str) -> str:
    return unicodedata.name(letter, "").partition(" ")[0]


_CHECKS: tuple[Callable[[Subject], Iterator[Finding]], ...] = (
    _check_sameness,
    _check_spaces,
    _check_ends,
    _check_french_spacing,
    _check_numbers,
    _check_words,
    _check_scripts,
)
