"""Texts made comparable: what a phone, a keyboard or haste changes in a word does not make it another word."""

import unicodedata
from typing import Final

_POINTS: Final = (
    (0x0300, 0x036F),  # accents of Latin, Greek and Cyrillic
    (0x0591, 0x05C7),  # Hebrew points
    (0x064B, 0x065F),  # Arabic vowel signs and hamzas
    (0x0670, 0x0670),
    (0xFE00, 0xFE0F),  # variation selectors, as behind an emoji
    (0x20D0, 0x20FF),  # frames, as around a keycap
)
"""Marks that one writes or leaves out; those of Indic and Thai letters are no such ones and stay."""
_LETTERS: Final = str.maketrans(
    {
        "ı": "i",  # Turkish, where a phone's capital I was meant
        "đ": "d",
        "ł": "l",
        "ø": "o",
        "æ": "ae",
        "ى": "ي",
        "ة": "ه",
        "ی": "ي",  # Persian letters for the same sounds
        "ک": "ك",
        "ـ": "",  # tatweel, which only stretches a word
    }
)


def fold(text: str) -> str:
    """The words of a text in one spelling, one space between them; empty where it holds none.

    Width, capitals, accents, vowel signs and the script of digits go; punctuation, quotes and emoji part words;
    bidi marks and joiners vanish. Folding twice changes nothing more.
    """
    spread = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    kept = "".join(_letter(character) for character in spread.translate(_LETTERS))
    return " ".join(unicodedata.normalize("NFC", kept).split())


def _letter(character: str) -> str:
    """What stays of a character: itself, a digit's ASCII form, a space, or nothing."""
    if any(first <= ord(character) <= last for first, last in _POINTS):
        return ""
    match unicodedata.category(character)[0]:
        case "L" | "M":
            return character
        case "N":
            return str(unicodedata.decimal(character, character))
        case "C" if character not in "\t\r\n":
            return ""
        case _:
            return " "
