"""Collecting the source texts of templates into a POT file: whole or not at all, and the same bytes for the same texts.

Babel's extractor skips a template that does not parse and leaves blocks untrimmed unless told otherwise; then texts
are never found at run time. Here the first template with a mistake stops the extraction with its file and line.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.ext import GETTEXT_FUNCTIONS, extract_from_ast

from gateway.errors import TemplateBroken
from gateway.localization.placeholders import read_placeholders
from gateway.localization.po import PoEntry, PoFile

_SUFFIXES = frozenset({".html", ".txt"})
_NOTE = re.compile(r"(?:NOTE|Translators):\s*(.+)", re.DOTALL)
_HEADER = (
    "Project-Id-Version: Heliograph\n"
    "MIME-Version: 1.0\n"
    "Content-Type: text/plain; charset=UTF-8\n"
    "Content-Transfer-Encoding: 8bit\n"
)


def extract(*roots: Path) -> PoFile:
    """The source texts of every template below the roots, in the order of files and lines.

    Places name files without lines, and there are no dates: a POT changes when a text does. Comments that begin with
    `NOTE:` or `Translators:` and end on the line before a text, or on its own, are handed to the translator.
    TemplateBroken, with file and line, for a template that does not parse or a text that cannot be translated.
    """
    environment = Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
    environment.policies["ext.i18n.trimmed"] = True
    environment.newstyle_gettext = True  # type: ignore[attr-defined]  # set by the i18n extension
    entries: dict[tuple[str | None, str], PoEntry] = {}
    for root in roots:
        for path in sorted(path for path in root.rglob("*") if path.suffix in _SUFFIXES and path.is_file()):
            place = f"{root.name}/{path.relative_to(root).as_posix()}"
            for line, found in _extract_file(environment, path, place):
                known = entries.get(found.key)
                entries[found.key] = found if known is None else _merge(known, found, place, line)
    header = PoEntry(msgid="", msgstr=(_HEADER,))
    return PoFile(entries=(header, *entries.values()))


def _extract_file(environment: Environment, path: Path, place: str) -> Iterator[tuple[int, PoEntry]]:
    try:
        source = path.read_text(encoding="utf-8")
        tree = environment.parse(source)
        notes = _Notes(environment, source)
    except TemplateSyntaxError as error:
        raise _broken(place, error.lineno, error.message or "syntax error") from error
    except UnicodeDecodeError as error:
        raise _broken(place, 1, "the file is not UTF-8") from error
    for call in _calls(tree):
        for line, function, strings in extract_from_ast(nodes.Template([nodes.Output([call])]), GETTEXT_FUNCTIONS):
            texts = strings if isinstance(strings, tuple) else (strings,)
            yield line, _make_entry(function, texts, place, line, notes.take(line))


def _calls(tree: nodes.Template) -> list[nodes.Call]:
    """The gettext calls in the order of the source."""
    found = [
        call
        for call in tree.find_all(nodes.Call)
        if isinstance(call.node, nodes.Name) and call.node.name in GETTEXT_FUNCTIONS
    ]
    return sorted(found, key=lambda call: call.lineno)


def _make_entry(function: str, texts: tuple[str | None, ...], place: str, line: int, notes: tuple[str, ...]) -> PoEntry:
    has_context, is_plural = function in {"pgettext", "npgettext"}, function in {"ngettext", "npgettext"}
    wanted = texts[: 1 + has_context + is_plural]
    if len(wanted) < 1 + has_context + is_plural or any(text is None for text in wanted):
        raise _broken(place, line, f"{function} takes literal texts only")
    literal = [text for text in wanted if text is not None]
    context = literal.pop(0) if has_context else None
    for text in literal:
        stray = read_placeholders(text).stray
        if not text:
            raise _broken(place, line, "an empty text cannot be translated")
        if stray:
            raise _broken(place, line, f"write %% for a percent sign, and name each placeholder: {stray!r}")
    return PoEntry(
        context=context,
        msgid=literal[0],
        msgid_plural=literal[1] if is_plural else None,
        msgstr=("", "") if is_plural else ("",),
        extracted=notes,
        locations=(place,),
        flags=("python-format",) if any("%" in text for text in literal) else (),
    )


def _merge(known: PoEntry, found: PoEntry, place: str, line: int) -> PoEntry:
    plurals = {entry.msgid_plural for entry in (known, found)} - {None}
    if len(plurals) > 1:
        raise _broken(place, line, f"{found.msgid!r} has another plural in {known.locations[0]}")
    plural = next(iter(plurals), None)
    return known.changed(
        msgid_plural=plural,
        msgstr=("",) if plural is None else ("", ""),
        extracted=tuple(dict.fromkeys(known.extracted + found.extracted)),
        locations=tuple(dict.fromkeys(known.locations + found.locations)),
        flags=tuple(dict.fromkeys(known.flags + found.flags)),
    )


def _broken(place: str, line: int, problem: str) -> TemplateBroken:
    return TemplateBroken(f"{place}:{line}: {problem}", part=place, line=line)


class _Notes:
    """The comments to translators in one template, each for the first text that follows it closely."""

    def __init__(self, environment: Environment, source: str) -> None:
        self._notes: list[tuple[int, int, str]] = []
        self._blank = {number for number, line in enumerate(source.split("\n"), 1) if not line.strip()}
        for line, kind, value in environment.lex(source):
            if kind == "comment" and (note := _NOTE.match(value.strip())):
                self._notes.append((line, line + value.rstrip().count("\n"), " ".join(note[1].split())))

    def take(self, line: int) -> tuple[str, ...]:
        """The notes that end on the line or, over blank lines and other notes, right before it; each is given once."""
        taken: list[str] = []
        for note in reversed(self._notes):
            begin, end, text = note
            above = line - 1
            while above in self._blank:
                above -= 1
            if above <= end <= line:
                taken.insert(0, text)
                self._notes.remove(note)
                line = begin
        return tuple(taken)
