"""The links of a rendered HTML: what they are, others in their place, and an image at the end of the body."""

import html
import re
from collections.abc import Callable, Iterator
from typing import Final

_TOKEN: Final = re.compile(
    r"<!--(?:[^-]++|-(?!->))*+(?:-->)?+|<(?P<raw>style|title|textarea)(?=[\s/>])(?:[^<]++|<(?!/(?P=raw)[\s/>]))*+"
    # A quote begins a value only after an equals sign.
    r"""|<(?P<tag>[a-z][^\s/>]*+)(?P<inside>[^=>]*+(?:=\s*+(?:"[^"]*+"|'[^']*+')?+[^=>]*+)*+)>""",
    re.IGNORECASE,
)
"""Comments and elements of mere text, in which no links are, and every other tag with all that stands in it."""
_LINKS: Final = frozenset({"a", "area"})
_HREF: Final = re.compile(
    r"""(?P<name>[^\s=>"'/]++)(?:\s*+=\s*+(?:"(?P<double>[^"]*+)"|'(?P<single>[^']*+)'|(?P<bare>[^\s"'>]++)))?+"""
)
_UNTOUCHED: Final = "data-untracked"
"""The attribute by which a template's author keeps a link as it is."""
_END: Final = re.compile(r"</body\s*>", re.IGNORECASE)


def targets_of(text: str) -> frozenset[str]:
    """Where the links of an HTML lead, but for those whose author wants them left alone."""
    return frozenset(target for _, _, target in _hrefs(text))


def replace_targets(text: str, put: Callable[[str], str | None]) -> str:
    """The HTML with other targets in its links: what `put` makes of each, or the same where that is None."""
    pieces: list[str] = []
    end = 0
    for start, stop, target in _hrefs(text):
        new = put(target)
        if new is not None:
            pieces += (text[end:start], '"', html.escape(new), '"')
            end = stop
    return "".join((*pieces, text[end:]))


def add_pixel(text: str, url: str) -> str:
    """The HTML with an image that nobody sees, where the body ends."""
    image = f'<img src="{html.escape(url)}" width="1" height="1" alt="" style="display:block;border:0">'
    ends = [found.start() for found in _END.finditer(text)]
    at = ends[-1] if ends else len(text)
    return f"{text[:at]}{image}{text[at:]}"


def _hrefs(text: str) -> Iterator[tuple[int, int, str]]:
    """Start and end of each link's target, with its quotes, and the target as a browser reads it."""
    for tag in _TOKEN.finditer(text):
        if (tag["tag"] or "").lower() not in _LINKS:
            continue
        first: tuple[int, int, str] | None = None
        untouched = False
        for attribute in _HREF.finditer(text, *tag.span("inside")):
            name = attribute["name"].lower()
            untouched = untouched or name == _UNTOUCHED
            # Of an attribute that is given twice browsers take the first.
            if name == "href" and first is None:
                first = _value(attribute)
        if first is not None and not untouched:
            yield first


def _value(attribute: re.Match[str]) -> tuple[int, int, str] | None:
    for group, quotes in (("double", 1), ("single", 1), ("bare", 0)):
        if attribute[group] is not None:
            start, stop = attribute.span(group)
            return start - quotes, stop + quotes, html.unescape(attribute[group])
    return None
