"""Checks of one entry that keep a translation from being sent: it would break, mislead or endanger the message."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from html.parser import HTMLParser

from gateway.localization.findings import Finding, Severity, Subject, finding
from gateway.localization.placeholders import read_placeholders
from gateway.localization.plurals import CHECKED_COUNTS, counts_of_form

_MAX_CHARACTERS = 10_000
_MAX_TAGS = 200
_NUMBER_NAMES = frozenset({"count", "n", "num", "number", "shown"})
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_ENTITY = re.compile(r"&(?:[A-Za-z][A-Za-z0-9]{1,30}|#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6});")
_UNSAFE = re.compile(
    r"<\s*+(?:/\s*+)?(?:script|style|iframe|object|embed|form|link|meta|base|svg|math)\b|\bon[a-z]+\s*=|javascript\s*:|vbscript\s*:"
    r"|\bdata\s*:\s*[a-z]+/",
    re.IGNORECASE,
)
_URL = re.compile(r"(?:https?|ftp)://[^\s<>\"'()\[\]{}«»「」、。，；：！？）】]+|\bwww\.[^\s<>\"'()]+", re.IGNORECASE)
# Begins where a word does: a search from every letter would take quadratic time on a long one.
_EMAIL = re.compile(r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+", re.ASCII)
_TEMPLATE_MARKS = ("{{", "}}", "{%", "%}", "{#", "#}")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_BIDI_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e")
_ISOLATES = "\u2066\u2067\u2068"
_POP_ISOLATE = "\u2069"


def check_errors(subject: Subject) -> Iterator[Finding]:
    """Every error in a translated entry; an untranslated one has none."""
    if not any(subject.entry.msgstr):
        return
    longest = max(len(text) for text in (*subject.sources, *subject.entry.msgstr))
    if longest > _MAX_CHARACTERS:
        yield _error("max-length", subject, f"{longest:,} characters are more than {_MAX_CHARACTERS:,}")
        return
    yield from _check_forms(subject)
    if all(subject.entry.msgstr):
        for check in _CHECKS:
            yield from check(subject)


def _error(check: str, subject: Subject, message: str) -> Finding:
    return finding(check, Severity.ERROR, subject, message)


def _check_forms(subject: Subject) -> Iterator[Finding]:
    entry = subject.entry
    if entry.msgid_plural is None:
        return
    if subject.forms is not None and len(entry.msgstr) != subject.forms.count:
        yield _error("plural-count", subject, f"{len(entry.msgstr)} forms, but the header says {subject.forms.count}")
    empty = [str(index) for index, text in enumerate(entry.msgstr) if not text]
    if empty:
        yield _error("plural-empty-form", subject, f"form {', '.join(empty)} is empty, others are not")


def _check_placeholders(subject: Subject) -> Iterator[Finding]:
    known = {name: kind for source in subject.sources for name, kind in read_placeholders(source).names.items()}
    formats = frozenset().union(*(read_placeholders(source).formats for source in subject.sources))
    for index, text in enumerate(subject.entry.msgstr):
        found = read_placeholders(text)
        if found.stray:
            yield _error("percent-literal", subject, f"write %% for a percent sign: {found.stray!r}")
        for name, kind in found.names.items():
            if name not in known:
                yield _error("placeholder-unknown", subject, f"%({name})s is not in the source")
            elif kind != known[name]:
                yield _error("placeholder-type", subject, f"%({name}) is {known[name]} in the source, {kind} here")
        for name, options in sorted(found.formats - formats):
            yield _error("placeholder-format", subject, f"%({name}) must not have {options!r}")
        yield from _check_missing(subject, index, set(found.names))


def _check_missing(subject: Subject, index: int, used: set[str]) -> Iterator[Finding]:
    entry = subject.entry
    if entry.msgid_plural is None:
        for name in sorted(read_placeholders(entry.msgid).names.keys() - used):
            yield _error("placeholder-missing", subject, f"%({name})s is missing")
        return
    singular = read_placeholders(entry.msgid).names.keys()
    plural = read_placeholders(entry.msgid_plural).names.keys()
    numbers = (plural - singular) | (plural & _NUMBER_NAMES) | (plural if len(plural) == 1 else set())
    says_itself = (
        subject.forms is not None and len(counts_of_form(subject.forms.header, index, CHECKED_COUNTS.stop)) <= 1
    )
    for name in sorted(plural - used):
        if name not in numbers:
            yield _error("placeholder-missing", subject, f"%({name})s is missing in form {index}")
        elif not says_itself:
            yield _error(
                "plural-number-missing", subject, f"form {index} serves several counts, so it must show %({name})s"
            )


def _check_template_syntax(subject: Subject) -> Iterator[Finding]:
    source = "\n".join(subject.sources)
    for mark in _TEMPLATE_MARKS:
        if any(mark in text for text in subject.entry.msgstr) and mark not in source:
            yield _error("template-syntax", subject, f"{mark} is template syntax")


class _TagReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, ...]] = []
        self.open: list[str] = []
        self.is_nested = True

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, *sorted(f"{name}={value}" for name, value in attrs)))
        if tag not in {"br", "img", "hr", "wbr"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, *sorted(f"{name}={value}" for name, value in attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.tags.append((f"/{tag}",))
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            self.is_nested = False


def _read_tags(text: str) -> tuple[Counter[tuple[str, ...]], bool]:
    """The tags with their attributes, and whether they nest and close."""
    if "<" not in text:
        return Counter(), True
    reader = _TagReader()
    reader.feed(text)
    reader.close()
    return Counter(reader.tags), reader.is_nested and not reader.open


def _check_markup(subject: Subject) -> Iterator[Finding]:
    if not subject.is_html:
        yield from _check_text_markup(subject)
        return
    if any(text.count("<") > _MAX_TAGS for text in (*subject.sources, *subject.entry.msgstr)):
        yield _error("html-tags", subject, f"more than {_MAX_TAGS} tags")
        return
    wanted = [_read_tags(source) for source in subject.sources]
    for text in subject.entry.msgstr:
        tags, is_whole = _read_tags(text)
        if all(tags != expected for expected, _ in wanted):
            yield _error(
                "html-tags", subject, f"tags differ from the source's: {_describe_difference(tags, wanted[-1][0])}"
            )
        elif not is_whole and any(whole for _, whole in wanted):
            yield _error("html-tags", subject, "tags do not nest, or are not closed")
        unsafe = _UNSAFE.search(text)
        if unsafe and unsafe[0].lower() not in " ".join(subject.sources).lower():
            yield _error("html-unsafe", subject, f"{unsafe[0]!r} is not in the source")


def _describe_difference(found: Counter[tuple[str, ...]], wanted: Counter[tuple[str, ...]]) -> str:
    parts = [f"<{' '.join(tag)}> is missing" for tag in (wanted - found)]
    parts += [f"<{' '.join(tag)}> is new" for tag in (found - wanted)]
    return "; ".join(parts)[:200]


def _check_text_markup(subject: Subject) -> Iterator[Finding]:
    source = "\n".join(subject.sources)
    for text in subject.entry.msgstr:
        for pattern in (_TAG, _ENTITY):
            found = pattern.search(text)
            if found and found[0] not in source:
                yield _error("html-in-text", subject, f"{found[0][:40]!r} would be shown as it is in plain text")


def _check_links(subject: Subject) -> Iterator[Finding]:
    for check, pattern in (("url", _URL), ("email", _EMAIL)):
        if f"ignore-{check}" in subject.entry.flags:
            continue
        wanted = [Counter(_links(pattern, source)) for source in subject.sources]
        for text in subject.entry.msgstr:
            found = Counter(_links(pattern, text))
            if found not in wanted:
                yield _error(check, subject, f"{sorted(found) or 'none'} instead of {sorted(wanted[-1]) or 'none'}")


def _links(pattern: re.Pattern[str], text: str) -> list[str]:
    return [link.rstrip(".,;:!?…") for link in pattern.findall(text)]


def _check_newlines(subject: Subject) -> Iterator[Finding]:
    for source, text in subject.pairs:
        if source.startswith("\n") != text.startswith("\n") or source.endswith("\n") != text.endswith("\n"):
            yield _error(
                "newline-edge", subject, "source and translation must both begin or end with a newline, or neither"
            )


def _check_controls(subject: Subject) -> Iterator[Finding]:
    for text in subject.entry.msgstr:
        if subject.is_one_line and (control := _CONTROL.search(text)):
            yield _error("header-control-char", subject, f"U+{ord(control[0]):04X} in a text that is one line")
        yield from _check_bidi(subject, text)


def _check_bidi(subject: Subject, text: str) -> Iterator[Finding]:
    override = next((character for character in text if character in _BIDI_OVERRIDES), None)
    if override is not None:
        yield _error("bidi-control", subject, f"U+{ord(override):04X} overrides the direction; use isolates")
    for line in text.split("\n"):
        depth = 0
        for character in line:
            depth += (character in _ISOLATES) - (character == _POP_ISOLATE)
            if depth < 0:
                break
        if depth:
            yield _error("bidi-control", subject, "bidi isolates are not balanced in a line")


_CHECKS: tuple[Callable[[Subject], Iterator[Finding]], ...] = (
    _check_placeholders,
    _check_template_syntax,
    _check_markup,
    _check_links,
    _check_newlines,
    _check_controls,
)
