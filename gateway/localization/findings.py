"""What a check says of a catalog, and what it is told of the entry it looks at."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from babel import Locale

from gateway.localization.plurals import PluralForms
from gateway.localization.po import PoEntry


class Severity(StrEnum):
    """Whether a finding keeps the text from being sent."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong with a catalog or one of its entries."""

    check: str
    """Stable id of the check, as documented."""
    severity: Severity
    message: str
    entry: str = ""
    """The msgid; empty for the file as a whole."""
    context: str | None = None
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An entry under check, with what decides which rules concern it."""

    entry: PoEntry
    locale: Locale
    forms: PluralForms | None
    """The file's plural forms; None if the file has no usable header."""

    @property
    def pairs(self) -> Iterator[tuple[str, str]]:
        """(source, translation) for each form: the first form stands against msgid, the others against the plural."""
        for index, text in enumerate(self.entry.msgstr):
            plural = self.entry.msgid_plural
            yield (self.entry.msgid if plural is None or index == 0 else plural), text

    @property
    def sources(self) -> tuple[str, ...]:
        """The msgid and, if there is one, its plural."""
        plural = self.entry.msgid_plural
        return (self.entry.msgid,) if plural is None else (self.entry.msgid, plural)

    @property
    def is_html(self) -> bool:
        """True if the text stands in an HTML part, where its markup reaches the reader as markup."""
        if self.entry.locations:
            return any(_part(location).endswith(".html") for location in self.entry.locations)
        return any("<" in source for source in self.sources)

    @property
    def is_one_line(self) -> bool:
        """True if the text becomes a header or a title."""
        names = ("subject.txt", "preheader.txt", "title.txt")
        return any(_part(location).endswith(names) for location in self.entry.locations)

    @property
    def is_sms(self) -> bool:
        """True if the text is sent as SMS."""
        return any("/sms/" in location for location in self.entry.locations)


def _part(location: str) -> str:
    path, colon, line = location.rpartition(":")
    return path if colon and line.isdigit() else location


def finding(check: str, severity: Severity, subject: Subject, message: str) -> Finding:
    """A finding on the entry under check."""
    entry = subject.entry
    return Finding(
        check=check, severity=severity, message=message, entry=entry.msgid, context=entry.context, line=entry.line
    )
