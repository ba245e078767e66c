"""Where in an HTML text a value would land: in text, in a quoted attribute, in a title, or where none may stand."""

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from gateway.errors import TemplateBroken


class Where(StrEnum):
    """A position in HTML, as far as values are concerned."""

    TEXT = "text"
    TAG = "tag"
    ATTRIBUTE = "attribute"
    COMMENT = "comment"
    TITLE = "title"
    STYLE = "style"


_FORBIDDEN: Final = frozenset({"script", "iframe", "object", "embed", "applet", "base", "form"})
_RAW: Final = {"title": Where.TITLE, "textarea": Where.TITLE, "style": Where.STYLE}
_TAG: Final = re.compile(r"<!--|<(/?)([A-Za-z][A-Za-z0-9:-]*)|<[!?]")
_IN_TAG: Final = re.compile(r"/?>|(?:([^\s=>\"'/]+)\s*=\s*)?([\"'])|[^\s=>\"'/]+|\s+|[^>]")
"""Names and blanks are read in one piece each: character by character they would be looked through every time."""
_LINKS: Final = frozenset({"href", "src", "action", "background", "cite", "formaction", "poster", "srcset", "data"})
_SCHEME: Final = re.compile(r"\s*(?:https?://|mailto:|tel:|sms:|cid:)", re.IGNORECASE)


@dataclass(slots=True)
class Cursor:
    """Reads HTML piece by piece and knows where it stands."""

    where: Where = Where.TEXT
    tag: str = ""
    attribute: str = ""
    quote: str = ""
    value: str = ""
    """What stands in the attribute so far."""
    tail: str = ""
    """The last tag read, while nothing has followed it."""

    def feed(self, text: str, path: str) -> None:
        """Read on. Raises TemplateBroken for an element that no message may hold."""
        position = 0
        while position < len(text):
            match self.where:
                case Where.TEXT:
                    position = self._read_text(text, position, path)
                case Where.TAG:
                    position = self._read_tag(text, position)
                case Where.ATTRIBUTE:
                    position = self._read_until(text, position, self.quote, Where.TAG)
                case Where.COMMENT:
                    position = self._read_until(text, position, "-->", Where.TEXT)
                case Where.TITLE | Where.STYLE:
                    position = self._read_raw(text, position)

    def place(self) -> tuple[Where, str]:
        """Where it stands, for comparing branches."""
        match self.where:
            case Where.TEXT | Where.COMMENT:
                return self.where, ""
            case Where.ATTRIBUTE:
                return self.where, f"{self.tag} {self.attribute} {self.quote}"
            case _:
                return self.where, self.tag

    def _read_text(self, text: str, position: int, path: str) -> int:
        found = _TAG.search(text, position)
        if not found:
            self.tail = "" if text[position:].strip() else self.tail
            return len(text)
        if found[0] == "<!--":
            self.where = Where.COMMENT
        elif found[2]:
            self.tag = found[1] + found[2].lower()
            if found[2].lower() in _FORBIDDEN:
                raise TemplateBroken(f"{path}: <{found[2].lower()}> cannot be used in a message", part=path)
            self.where = Where.TAG
        else:
            self.where, self.tag = Where.TAG, "!"
        return found.end()

    def _read_tag(self, text: str, position: int) -> int:
        found = _IN_TAG.match(text, position)
        if not found:
            return len(text)
        if found[2]:
            self.where, self.attribute, self.quote, self.value = Where.ATTRIBUTE, (found[1] or "").lower(), found[2], ""
        elif found[0].endswith(">"):
            self.where = _RAW.get(self.tag, Where.TEXT)
            self.tail = self.tag
        return found.end()

    def _read_until(self, text: str, position: int, end: str, after: Where) -> int:
        found = text.find(end, position)
        self.value += text[position : found if found >= 0 else len(text)]
        if found < 0:
            return len(text)
        self.where = after
        return found + len(end)

    def _read_raw(self, text: str, position: int) -> int:
        found = re.compile(rf"</{self.tag}\s*>", re.IGNORECASE).search(text, position)
        if not found:
            return len(text)
        self.where, self.tag, self.tail = Where.TEXT, f"/{self.tag}", ""
        return found.end()

    def refusal(self, *, is_url: bool) -> str | None:
        """Why a value cannot stand here; None when it can."""
        match self.where:
            case Where.TAG:
                return "a value inside a tag must stand in a quoted attribute"
            case Where.ATTRIBUTE if not self.attribute:
                return "the name of a value's attribute must be written in one piece with its quote"
            case Where.STYLE:
                return "no value can stand in <style>"
            case Where.ATTRIBUTE if self.attribute.startswith("on") or self.attribute in ("style", "srcdoc"):
                return f"no value can stand in the attribute {self.attribute}"
            case Where.ATTRIBUTE if self.attribute in _LINKS and not is_url and not _SCHEME.match(self.value):
                return f"what begins the attribute {self.attribute} must be a variable of type url"
            case _:
                return None

    def copy(self) -> "Cursor":
        """The same position, to be moved on its own."""
        return replace(self)
