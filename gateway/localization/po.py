"""What a PO file holds, and how it is written: lossless, so that a diff shows only what changed.

Format: GNU gettext manual, "PO Files". Reading is in po_reader.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Previous:
    """The source text as it was when the translation was last good (`#|` lines)."""

    context: str | None = None
    msgid: str | None = None
    msgid_plural: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PoEntry:
    """One message of a PO file, its source text, its translation and all that was said about it."""

    msgid: str
    msgstr: tuple[str, ...] = ("",)
    """The translation: one text, or one for each plural form in the order of the file's header."""
    context: str | None = None
    msgid_plural: str | None = None
    comments: tuple[str, ...] = ()
    """The translator's own (`# …`), without the mark."""
    extracted: tuple[str, ...] = ()
    """What the author of the template says to the translator (`#. …`)."""
    locations: tuple[str, ...] = ()
    """Where the source text stands (`#: …`)."""
    flags: tuple[str, ...] = ()
    previous: Previous | None = None
    obsolete: bool = False
    """True when no template uses the text any more (`#~`); kept so that the translation is not lost."""
    line: int = field(default=0, compare=False)
    """First line of the entry's keywords in the file it was read from; 0 for an entry made here."""
    raw: str | None = field(default=None, repr=False, compare=False)
    """The lines as read, written back as they are; None once something changed."""

    @property
    def key(self) -> tuple[str | None, str]:
        """What must be unique in a file. An empty context is not the same as none."""
        return self.context, self.msgid

    @property
    def is_header(self) -> bool:
        """True for the entry that carries the file's header fields."""
        return self.msgid == "" and self.context is None and not self.obsolete

    @property
    def is_fuzzy(self) -> bool:
        """True when a person still has to confirm the translation; it is never sent."""
        return "fuzzy" in self.flags

    @property
    def is_translated(self) -> bool:
        """True when each form has a text and a person stands by it."""
        return not self.is_fuzzy and not self.obsolete and all(self.msgstr)

    def changed(self, **changes: object) -> "PoEntry":
        """A copy with other values, to be written anew; the entry itself where nothing differs."""
        copy: PoEntry = replace(self, **changes, raw=None)  # type: ignore[arg-type]
        return self if copy == self else copy


@dataclass(frozen=True, slots=True, kw_only=True)
class PoFile:
    """A whole PO or POT file: header, messages in their order, and what trails after the last one."""

    entries: tuple[PoEntry, ...]
    """All entries in the order of the file, the header's included, obsolete ones too."""
    trailing: str = ""
    newline: str = "\n"

    @property
    def header_entry(self) -> PoEntry | None:
        """The entry with the header fields, if the file has one."""
        return next((entry for entry in self.entries if entry.is_header), None)

    @property
    def header(self) -> Mapping[str, str]:
        """The header fields by name, as written."""
        return MappingProxyType(dict(read_header(self.header_entry)))

    @property
    def messages(self) -> tuple[PoEntry, ...]:
        """The entries in use: neither the header nor obsolete."""
        return tuple(entry for entry in self.entries if not entry.obsolete and not entry.is_header)


def read_header(entry: PoEntry | None) -> list[tuple[str, str]]:
    """The `Name: value` lines of a header entry in order; lines without a colon are left out."""
    if entry is None:
        return []
    pairs = (line.partition(":") for line in entry.msgstr[0].split("\n"))
    return [(name.strip(), value.strip()) for name, colon, value in pairs if colon]


def dump_po(po: PoFile) -> bytes:
    """Write the file: unchanged entries as they were read, byte for byte; changed ones canonical and unwrapped."""
    text = "".join(_blocks(po)) + po.trailing
    return (text if po.newline == "\n" else text.replace("\n", po.newline)).encode()


def _blocks(po: PoFile) -> Iterator[str]:
    for number, entry in enumerate(po.entries):
        if entry.raw is None:
            yield ("\n" if number else "") + render_entry(entry)
        elif number and not entry.raw.startswith("\n") and po.entries[number - 1].raw is None:
            yield "\n" + entry.raw
        else:
            yield entry.raw


def render_entry(entry: PoEntry) -> str:
    """The canonical lines of one entry, long texts unwrapped, one line for each line of the text."""
    lines = [f"# {text}" if text else "#" for text in entry.comments]
    lines += [f"#. {text}" if text else "#." for text in entry.extracted]
    lines += [f"#: {location}" for location in entry.locations]
    if entry.flags:
        lines.append("#, " + ", ".join(entry.flags))
    if entry.previous is not None:
        mark = "#~| " if entry.obsolete else "#| "
        lines += _fields(mark, entry.previous.context, entry.previous.msgid, entry.previous.msgid_plural)
    mark = "#~ " if entry.obsolete else ""
    lines += _fields(mark, entry.context, entry.msgid, entry.msgid_plural)
    if entry.msgid_plural is None:
        lines += _field(mark, "msgstr", entry.msgstr[0])
    else:
        for index, form in enumerate(entry.msgstr):
            lines += _field(mark, f"msgstr[{index}]", form)
    return "\n".join(lines) + "\n"


def _fields(mark: str, context: str | None, msgid: str | None, msgid_plural: str | None) -> Iterator[str]:
    for keyword, text in (("msgctxt", context), ("msgid", msgid), ("msgid_plural", msgid_plural)):
        if text is not None:
            yield from _field(mark, keyword, text)


def _field(mark: str, keyword: str, text: str) -> Iterator[str]:
    lines = text.split("\n")
    # "a\nb" becomes two pieces and "a\n" one: a final newline belongs to the line before it.
    pieces = [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    if len(pieces) <= 1:
        yield f"{mark}{keyword} {_quote(text)}"
        return
    yield f'{mark}{keyword} ""'
    for piece in pieces:
        yield mark + _quote(piece)


_ESCAPES = str.maketrans(
    {
        "\\": "\\\\",
        '"': '\\"',
        "\n": "\\n",
        "\t": "\\t",
        "\r": "\\r",
        "\a": "\\a",
        "\b": "\\b",
        "\f": "\\f",
        "\v": "\\v",
    }
)


def _quote(text: str) -> str:
    return '"' + text.translate(_ESCAPES) + '"'
