"""Reading PO files strictly: what is not understood is refused with its line, never guessed.

Babel 2.18 takes a BOM for text, lets `#~|` lines swallow the entry before, and loads conflict markers, error pages and
files that were cut; polib loses `#~|`. A translation file is data from outside: size, entries and forms are limited.
"""

import re
from collections.abc import Iterator
from typing import NoReturn

from gateway.errors import CatalogBroken
from gateway.localization.po import PoEntry, PoFile, Previous

MAX_BYTES = 5_000_000
MAX_ENTRIES = 50_000
MAX_HEADER = 64 * 1024  # characters; a real one has a few hundred, and each line of it is taken apart
MAX_PLURAL_FORMS = 6  # no language of CLDR has more; a larger claim is a mistake or an attack (18 s of Babel's time)

_BOM = b"\xef\xbb\xbf"
# Possessive: what could be tried again would be remembered, at a hundred bytes for each character.
_STRING = re.compile(r'"((?:[^"\\]++|\\.)*+)"')
_KEYWORD = re.compile(r'(msgctxt|msgid_plural|msgid|msgstr(?:\[(\d{1,4})\])?)\s*(".*)?')
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{1,2}|[0-7]{1,3}|.)")
_SIMPLE_ESCAPES = {
    "n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "\\": "\\", '"': '"'
}  # fmt: skip
# A name with spaces stands in isolates; one that never closes must not be looked for to the end of the line each time.
_LOCATION = re.compile("\u2068[^\u2068\u2069]*\u2069\\S*|\\S+")
_CONFLICT = re.compile(r"<{7}|={7}$|>{7}|\|{7}")
_NPLURALS = re.compile(r"nplurals\s*=\s*([0-9]+)")
_CHARSET = re.compile(r"charset\s*=\s*([^\s;]+)", re.IGNORECASE)
_CHARSETS = frozenset({"utf-8", "utf8", "ascii", "us-ascii"})


def parse_po(data: bytes) -> PoFile:
    """Read a PO or POT file.

    CatalogBroken, with the line, for what is not whole, not UTF-8 or over the limits (5 MB, 50,000 entries, 6 forms,
    a header of 65,536 characters). Whether the entries fit their locale is the business of checks.
    """
    if len(data) > MAX_BYTES:
        raise CatalogBroken(f"the file has {len(data):,} bytes, more than {MAX_BYTES:,}")
    text = _decode(data.removeprefix(_BOM))
    reader = _Reader()
    for number, line in enumerate(_lines(text), 1):
        reader.feed(number, line)
    po = reader.finish("\r\n" if "\r\n" in text else "\n")
    _check_header(po)
    return po


def _decode(data: bytes) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CatalogBroken(f"line {line}: the file is not UTF-8", line=line) from error
    if "\x00" in text:
        line = text.count("\n", 0, text.index("\x00")) + 1
        raise CatalogBroken(f"line {line}: the file contains a NUL character", line=line)
    return text


def _lines(text: str) -> Iterator[str]:
    """Lines end at LF only: str.splitlines would also cut at U+2028 and form feeds inside a text."""
    yield from text.replace("\r\n", "\n").split("\n")


def _check_header(po: PoFile) -> None:
    entry = po.header_entry
    if entry is None:
        return
    if len(entry.msgstr[0]) > MAX_HEADER:
        raise CatalogBroken(f"line {entry.line}: the header has more than {MAX_HEADER:,} characters", line=entry.line)
    claimed = _NPLURALS.search(po.header.get("Plural-Forms", ""))
    if claimed and (len(claimed[1]) > 2 or int(claimed[1]) > MAX_PLURAL_FORMS):
        raise CatalogBroken(f"line {entry.line}: nplurals is over {MAX_PLURAL_FORMS}", line=entry.line)
    charset = _CHARSET.search(po.header.get("Content-Type", ""))
    # An untouched POT of GNU gettext says CHARSET.
    if charset and charset[1] != "CHARSET" and charset[1].lower() not in _CHARSETS:
        raise CatalogBroken(f"line {entry.line}: the header declares {charset[1]}, not UTF-8", line=entry.line)


class _Reader:
    """Takes lines and makes entries: a comment or a keyword after a complete entry begins the next one."""

    def __init__(self) -> None:
        self._entries: list[PoEntry] = []
        self._gap: list[str] = []
        self._begin()

    def _begin(self) -> None:
        self._raw: list[str] = []
        self._line = 0
        self._obsolete = False
        self._texts: dict[str, list[str]] = {}
        self._previous: dict[str, list[str]] = {}
        self._forms: list[list[str]] = []
        self._open: list[str] | None = None
        self._notes: dict[str, list[str]] = {"#": [], "#.": [], "#:": [], "#,": []}

    def feed(self, number: int, line: str) -> None:
        """Take the next line, without its end."""
        content = line.strip(" \t\f\v\r")
        if not content:
            self._gap.append(line)
        elif content.startswith("#~"):
            self._feed_obsolete(number, line, content[2:].strip(" \t"))
        elif content.startswith("#"):
            self._feed_comment(number, line, content)
        else:
            self._feed_text(number, line, content, obsolete=False)

    def _feed_obsolete(self, number: int, line: str, content: str) -> None:
        if content.startswith("|"):
            self._begin_notes(number)
            self._take(line)
            self._feed_previous(number, content[1:].strip(" \t"))
        elif content:
            self._feed_text(number, line, content, obsolete=True)
        else:
            self._gap.append(line)

    def _feed_comment(self, number: int, line: str, content: str) -> None:
        self._begin_notes(number)
        self._take(line)
        match content[:2]:
            case "#|":
                self._feed_previous(number, content[2:].strip(" \t"))
            case "#:":
                self._notes["#:"] += _LOCATION.findall(content[2:])
            case "#," | "#=":
                self._notes["#,"] += [flag.strip() for flag in content[2:].split(",") if flag.strip()]
            case "#.":
                self._notes["#."].append(content[2:].removeprefix(" "))
            case _:
                self._notes["#"].append(content[1:].removeprefix(" "))

    def _begin_notes(self, number: int) -> None:
        if self._forms:
            self._flush()
        if self._texts:
            self._fail(number, "a comment stands inside an entry, which has no msgstr")

    def _feed_previous(self, number: int, content: str) -> None:
        if content.startswith('"'):
            if self._open is None:
                self._fail(number, "a text without a keyword")
            self._open.append(self._unquote(number, content))
            return
        keyword = _KEYWORD.fullmatch(content)
        if keyword is None or keyword[1].startswith("msgstr") or keyword[1] in self._previous or keyword[3] is None:
            self._fail(number, "a line of the previous source that is not understood")
        self._open = self._previous[keyword[1]] = [self._unquote(number, keyword[3])]

    def _feed_text(self, number: int, line: str, content: str, *, obsolete: bool) -> None:
        if content.startswith('"'):
            if self._open is None or not self._texts or obsolete != self._obsolete:
                self._fail(number, "a text without a keyword")
            self._take(line)
            self._open.append(self._unquote(number, content))
            return
        keyword = _KEYWORD.fullmatch(content)
        if keyword is None or keyword[3] is None:
            self._fail(number, _describe(content))
        if self._forms and not keyword[1].startswith("msgstr"):
            self._flush()
        if not self._texts:
            self._line, self._obsolete = number, obsolete
        elif obsolete != self._obsolete:
            self._fail(number, "the entry is half obsolete")
        self._take(line)
        self._open = self._place(number, keyword[1], keyword[2])
        self._open.append(self._unquote(number, keyword[3]))

    def _place(self, number: int, keyword: str, index: str | None) -> list[str]:
        """Where the text of the keyword goes; keywords stand in one order only."""
        text: list[str] = []
        if keyword.startswith("msgstr"):
            if "msgid" not in self._texts:
                self._fail(number, "msgstr without a msgid")
            if (index is not None) != ("msgid_plural" in self._texts):
                self._fail(number, "msgstr[N] and msgid_plural go together")
            if int(index or 0) != len(self._forms):
                self._fail(number, f"msgstr[{len(self._forms)}] was expected here")
            if len(self._forms) == MAX_PLURAL_FORMS:
                self._fail(number, f"more than {MAX_PLURAL_FORMS} plural forms")
            self._forms.append(text)
            return text
        before = {"msgctxt": (), "msgid": ("msgctxt",), "msgid_plural": ("msgctxt", "msgid")}[keyword]
        if any(name not in before for name in self._texts) or (
            keyword == "msgid_plural" and "msgid" not in self._texts
        ):
            self._fail(number, f"{keyword} is out of place; the entry before has no msgstr")
        self._texts[keyword] = text
        return text

    def _take(self, line: str) -> None:
        self._raw += [*self._gap, line]
        self._gap.clear()

    def _flush(self) -> None:
        texts = {keyword: "".join(pieces) for keyword, pieces in self._texts.items()}
        if len(self._entries) == MAX_ENTRIES:
            self._fail(self._line, f"more than {MAX_ENTRIES:,} entries")
        previous = {keyword: "".join(pieces) for keyword, pieces in self._previous.items()}
        entry = PoEntry(
            context=texts.get("msgctxt"),
            msgid=texts["msgid"],
            msgid_plural=texts.get("msgid_plural"),
            msgstr=tuple("".join(pieces) for pieces in self._forms),
            comments=tuple(self._notes["#"]),
            extracted=tuple(self._notes["#."]),
            locations=tuple(self._notes["#:"]),
            flags=tuple(self._notes["#,"]),
            previous=Previous(
                context=previous.get("msgctxt"), msgid=previous.get("msgid"), msgid_plural=previous.get("msgid_plural")
            )
            if previous
            else None,
            obsolete=self._obsolete,
            line=self._line,
            raw="\n".join(self._raw) + "\n",
        )
        self._entries.append(entry)
        self._begin()

    def finish(self, newline: str) -> PoFile:
        """The file, once every line was fed."""
        if self._forms:
            self._flush()
        if self._texts:
            self._fail(self._line, "the file ends inside this entry, which has no msgstr")
        trailing = "\n".join([*self._raw, *self._gap])
        return PoFile(entries=tuple(self._entries), trailing=trailing, newline=newline)

    def _unquote(self, number: int, content: str) -> str:
        found = _STRING.fullmatch(content)
        if found is None:
            self._fail(number, "the quotes do not close, or something follows them")
        return _ESCAPE.sub(lambda escape: self._unescape(number, escape[1]), found[1]) if "\\" in found[1] else found[1]

    def _unescape(self, number: int, code: str) -> str:
        if code in _SIMPLE_ESCAPES:
            return _SIMPLE_ESCAPES[code]
        value = 0
        if code[0] == "x" and len(code) > 1:
            value = int(code[1:], 16)
        elif code[0] in "01234567":
            value = int(code, 8)
        if not 0 < value < 0x80:  # higher bytes would be in the file's charset, which nobody writes
            self._fail(number, f"unknown escape \\{code}")
        return chr(value)

    def _fail(self, number: int, problem: str) -> NoReturn:
        raise CatalogBroken(f"line {number}: {problem}", line=number)


def _describe(content: str) -> str:
    if _CONFLICT.match(content):
        return "a merge conflict was left in the file"
    if content.startswith("<"):
        return "this is markup, not a PO file"
    return "neither a comment, a keyword nor a text"
