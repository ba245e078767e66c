"""Text messages: which alphabet they need, and how many segments they cost.

GSM 7 bit default alphabet and extension table: 3GPP TS 23.038 §6.2.1; concatenation: TS 23.040 §9.2.3.24.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final, Literal

from gateway.domain.messages import SmsContent

_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION: Final = frozenset("\f^{}\\[~]|€")

# One message, and one part of several: the part's header takes 7 septets or 3 code units.
_SEPTETS: Final = (160, 153)
_CODE_UNITS: Final = (70, 67)

# No width or a special width, all of them blank: each would flip a whole text to UCS-2.
_SPACES: Final = re.compile("[\u00a0\u2000-\u200a\u202f\u205f\u3000]")
_INVISIBLE: Final = re.compile("[\u00ad\ufeff]")

_LOOK_ALIKES: Final = str.maketrans(
    {
        "‘": "'",
        "’": "'",
        "‚": "'",
        "‛": "'",
        "′": "'",
        "`": "'",
        "´": "'",
        "“": '"',
        "”": '"',
        "„": '"',
        "‟": '"',
        "″": '"',
        "«": '"',
        "»": '"',
        "‹": "<",
        "›": ">",
        "‐": "-",
        "‑": "-",
        "‒": "-",
        "–": "-",
        "—": "-",
        "―": "-",
        "−": "-",
        "…": "...",
        "•": "*",
        "·": ".",
        "×": "x",
        "\u200b": "",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsCount:
    """What a text costs."""

    encoding: Literal["gsm-7", "ucs-2"]
    units: int
    """Septets or UTF-16 code units."""
    segments: int


def _widths(text: str) -> tuple[Literal["gsm-7", "ucs-2"], list[int]]:
    """The alphabet, and how many units each character takes in it."""
    letters = set(text)
    if letters <= _BASIC:
        return "gsm-7", [1] * len(text)
    if letters <= _BASIC | _EXTENSION:
        return "gsm-7", [2 if letter in _EXTENSION else 1 for letter in text]
    return "ucs-2", [2 if letter > "\uffff" else 1 for letter in text]


def count(text: str) -> SmsCount:
    """Encoding, units and segments; no escape sequence or surrogate pair straddles two segments.

    An empty text is one segment: that is what an empty message would cost.
    """
    encoding, widths = _widths(text)
    alone, part = _SEPTETS if encoding == "gsm-7" else _CODE_UNITS
    units = sum(widths)
    if units <= alone:
        return SmsCount(encoding=encoding, units=units, segments=1)
    segments, used = 1, 0
    for width in widths:
        if used + width > part:
            segments, used = segments + 1, 0
        used += width
    return SmsCount(encoding=encoding, units=units, segments=segments)


def prepare(text: str, *, substitute: bool = False) -> str:
    """The text as it is sent: composed (NFC), spaces plain, lines ended by LF.

    With `substitute`, typographic characters give way to look-alikes of the GSM alphabet, but only where that saves
    segments: a text that stays as dear keeps its own characters.
    """
    plain = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    plain = _INVISIBLE.sub("", _SPACES.sub(" ", plain))
    if not substitute:
        return plain
    cheaper = plain.translate(_LOOK_ALIKES)
    return cheaper if count(cheaper).segments < count(plain).segments else plain


def compose(text: str, locale: str, *, substitute: bool = False) -> SmsContent:
    """The text message that `text` becomes, with its cost."""
    ready = prepare(text, substitute=substitute)
    cost = count(ready)
    return SmsContent(text=ready, encoding=cost.encoding, units=cost.units, segments=cost.segments, locale=locale)
