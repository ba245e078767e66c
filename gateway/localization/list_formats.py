"""Lists in a sentence, with the rules of sound that Spanish and Hebrew have and plain patterns cannot say."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from babel import Locale

ListStyle = Literal["and", "or", "unit"]

# CLDR's root borrows the pieces that a locale leaves out, which Babel does not carry: from the right to the left here.
_STYLES: Mapping[ListStyle, tuple[str, ...]] = {"and": (), "or": ("or",), "unit": ("unit-short", "unit")}
# As ICU does it (ListFormatter, ContextualHandler): y → e before the sound i, o → u before the sound o.
_SPANISH_E = re.compile(r"(?:i|í|hi(?![aáeéoóuú])|hí)", re.IGNORECASE)
_SPANISH_U = re.compile(r"(?:h?[oó]|8|11(?:\b|[.\s]))", re.IGNORECASE)
_HEBREW_LETTER = re.compile("[\u0590-\u05ff]")


class ListFormats:
    """The list patterns of one locale."""

    def __init__(self, locale: Locale) -> None:
        self._language = locale.language
        standard: Mapping[str, str] = locale.list_patterns["standard"]
        self._patterns: dict[ListStyle, dict[str, str]] = {}
        for style, names in _STYLES.items():
            pieces = self._patterns[style] = dict(standard)
            for name in names:
                pieces.update(locale.list_patterns.get(name, {}))

    def join(self, items: Sequence[str], style: ListStyle) -> str:
        """The items as one phrase; empty for none."""
        patterns = self._patterns[style]
        match len(items):
            case 0:
                return ""
            case 1:
                return items[0]
            case 2:
                return self._pair(patterns["2"], items[0], items[1])
            case _:
                phrase = _fill(patterns["start"], items[0], items[1])
                for item in items[2:-1]:
                    phrase = _fill(patterns["middle"], phrase, item)
                return self._pair(patterns["end"], phrase, items[-1])

    def _pair(self, pattern: str, first: str, second: str) -> str:
        bare = second.lstrip("\u2066\u2067\u2068\u200e\u200f")
        if self._language == "es":
            if " y " in pattern and _SPANISH_E.match(bare):
                pattern = pattern.replace(" y ", " e ")
            elif " o " in pattern and _SPANISH_U.match(bare):
                pattern = pattern.replace(" o ", " u ")
        elif self._language == "he" and "\u05d5{1}" in pattern and not _HEBREW_LETTER.match(bare):
            pattern = pattern.replace("\u05d5{1}", "\u05d5-{1}")
        return _fill(pattern, first, second)


def _fill(pattern: str, first: str, second: str) -> str:
    """Put both in at once, so that a `{1}` inside of a value stays as it is."""
    return re.sub(r"\{([01])\}", lambda mark: second if mark[1] == "1" else first, pattern)
