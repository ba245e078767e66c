"""Pseudo-locales: en-XA shows what is not translatable or too narrow, ar-XB what does not mirror. For preview only.

Texts are made from the msgids, so there is nothing to keep current; placeholders, tags, entities, `%%` and addresses
stay byte for byte, and the rest stays readable.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from babel import Locale

from gateway.localization.locales import UnknownLocale
from gateway.localization.snapshots import Catalog

_FORMATTED_AS = {"en-XA": "en", "ar-XB": "ar"}
_KEPT = re.compile(
    r"%\([^()]*\)[#0\- +.*0-9]*[a-zA-Z]|%%|</?[A-Za-z][^<>]*>|&[A-Za-z#0-9]+;|(?:https?://|www\.)[^\s<>\"]+"
    r"|(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
)
_ACCENTED = str.maketrans(
    "AaBbCcDdEeFfGgHhIiJjKkLlMmNnOoPpQqRrSsTtUuVvWwXxYyZz", "ÅåƁƀÇçÐðÉéƑƒĜĝĤĥÎîĴĵĶķĻļṀṁÑñÖöÞþǪǫŔŕŠšŢţÛûṼṽŴŵẊẋÝýŽž"
)
_EXPANSION = 0.35  # German and Finnish run about that much longer than English
_MARK = "\u200f"
_OVERRIDE, _POP = "\u202e", "\u202c"


def is_pseudo(tag: str) -> bool:
    """True for `en-XA` and `ar-XB`, in any case."""
    return _canonical(tag) in _FORMATTED_AS


def _canonical(tag: str) -> str:
    language, _, region = tag.replace("_", "-").partition("-")
    return f"{language.lower()}-{region.upper()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PseudoCatalog(Catalog):
    """A catalog that has every message, distorted from its msgid; values are formatted in its locale."""

    # super() without arguments does not work in a class that dataclass made anew for its slots.
    def gettext(self, context: str | None, msgid: str) -> str | None:
        """The distorted msgid."""
        return distort(self.tag, Catalog.gettext(self, context, msgid) or msgid)

    def ngettext(self, context: str | None, singular: str, plural: str, n: int) -> str | None:
        """The distorted singular or plural."""
        return distort(self.tag, Catalog.ngettext(self, context, singular, plural, n) or plural)


def make_pseudo_catalog(tag: str) -> PseudoCatalog:
    """The catalog of a pseudo-locale; UnknownLocale for any other tag."""
    canonical = _canonical(tag)
    if canonical not in _FORMATTED_AS:
        raise UnknownLocale(tag)
    locale = Locale(_FORMATTED_AS[canonical])
    return PseudoCatalog(locale=locale, tag=canonical, version=canonical, is_source=True, texts={})


def distort(tag: str, text: str) -> str:
    """The text as the pseudo-locale shows it; leading and trailing white space stays where it is."""
    core = text.strip()
    if not core:
        return text
    start = text.index(core)
    head, tail = text[:start], text[start + len(core) :]
    shown = _stretch(core) if tag == "en-XA" else _map_prose(core, _mirror)
    return head + shown + tail


def _map_prose(text: str, change: Callable[[str], str]) -> str:
    """Change what stands between the parts that must be kept."""
    changed, position = [], 0
    for kept in _KEPT.finditer(text):
        changed += [change(text[position : kept.start()]), kept[0]]
        position = kept.end()
    return "".join([*changed, change(text[position:])])


def _stretch(text: str) -> str:
    """Accents on every letter, a third more room, brackets that show where the text ends."""
    letters = len(_KEPT.sub("", text))
    return f"[{_map_prose(text, lambda prose: prose.translate(_ACCENTED))} {'~' * ceil(letters * _EXPANSION)}]"


def _mirror(prose: str) -> str:
    """Each word from right to left between marks, as Android's and ICU's ar-XB do."""
    return re.sub(r"\w+", lambda word: f"{_MARK}{_OVERRIDE}{word[0]}{_POP}{_MARK}", prose)
