"""Bringing catalogs up to date with the source texts, without losing what translators wrote; and counting honestly."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from babel import Locale

from gateway.errors import CatalogBroken
from gateway.localization.checks import check_errors, plural_forms_of
from gateway.localization.findings import Subject
from gateway.localization.locales import to_posix
from gateway.localization.plurals import cldr_header, compare_with_cldr, parse_plural_forms
from gateway.localization.po import PoEntry, PoFile, Previous, read_header
from gateway.localization.snapshots import Catalog

_SOURCE_FLAGS = frozenset({"python-format"})
_WORD = re.compile(r"\w+")
_SIMILAR = 0.6
# difflib is quadratic: 320 texts among 400 cost Babel's update 70 s. Few candidates, short texts, a fixed budget.
_CANDIDATES = 4
_COMPARED_CHARACTERS = 200
_BUDGET = 4000
_COMMON_STEM = 50


def update(po: PoFile | None, pot: PoFile, locale: Locale) -> PoFile:
    """The catalog with every source text of `pot`, in its order; a new one if `po` is None.

    Translations, comments and flags stay. A text that changed gets its old translation as fuzzy, with the old source
    beside it; what is no longer used becomes obsolete, and comes back as it was if it is used again.
    """
    old = PoFile(entries=()) if po is None else po
    header = _update_header(old.header_entry, locale)
    count = parse_plural_forms(dict(read_header(header))["Plural-Forms"]).count
    live = {entry.key: entry for entry in old.messages}
    obsolete = {entry.key: entry for entry in old.entries if entry.obsolete}
    sources = pot.messages
    wanted = {source.key for source in sources}
    removed = [entry for entry in (*live.values(), *obsolete.values()) if entry.key not in wanted and any(entry.msgstr)]
    new = [source for source in sources if source.key not in live and source.key not in obsolete]
    suggestions = _suggest(new, removed)
    entries = [header]
    for source in sources:
        known = live.get(source.key) or obsolete.get(source.key)
        if known is not None:
            entries.append(_refresh(known, source, count))
        elif source.key in suggestions:
            entries.append(_reuse(suggestions[source.key], source, count))
        else:
            entries.append(source.changed(msgstr=_empty(source, count), line=0))
    reused = {entry.key for entry in suggestions.values()}
    kept = [entry for entry in removed if entry.key not in reused]
    entries += [_retire(entry) for entry in sorted(kept, key=lambda entry: not entry.obsolete)]
    return PoFile(entries=tuple(entries), trailing=old.trailing, newline=old.newline)


def _update_header(header: PoEntry | None, locale: Locale) -> PoEntry:
    fields = dict(read_header(header))
    if header is None:
        fields["Project-Id-Version"] = "Heliograph"
    fields["Language"] = _language(fields.get("Language", ""), locale)
    fields.setdefault("MIME-Version", "1.0")
    fields.setdefault("Content-Type", "text/plain; charset=UTF-8")
    fields.setdefault("Content-Transfer-Encoding", "8bit")
    if not _is_usable(fields.get("Plural-Forms", ""), locale):
        fields["Plural-Forms"] = cldr_header(locale)
    text = "".join(f"{name}: {value}\n" for name, value in fields.items())
    if header is None:
        return PoEntry(msgid="", msgstr=(text,))
    return header if dict(read_header(header)) == fields else header.changed(msgstr=(text,))


def _language(declared: str, locale: Locale) -> str:
    return declared if declared.replace("-", "_") == to_posix(locale) else to_posix(locale)


def _is_usable(header: str, locale: Locale) -> bool:
    try:
        mismatch = compare_with_cldr(parse_plural_forms(header), locale)
    except CatalogBroken:
        return False
    return mismatch is None or not mismatch.is_coarser


def _empty(source: PoEntry, count: int) -> tuple[str, ...]:
    return ("",) if source.msgid_plural is None else ("",) * count


def _flags(old: PoEntry, source: PoEntry, *, fuzzy: bool) -> tuple[str, ...]:
    own = [flag for flag in old.flags if flag not in _SOURCE_FLAGS and flag != "fuzzy"]
    return tuple((["fuzzy"] if fuzzy else []) + list(source.flags) + own)


def _fit(msgstr: tuple[str, ...], source: PoEntry, count: int) -> tuple[str, ...]:
    """The texts for another number of forms: what is there first, the last one repeated."""
    if source.msgid_plural is None:
        return msgstr[:1]
    return tuple(msgstr[min(index, len(msgstr) - 1)] for index in range(count))


def _refresh(old: PoEntry, source: PoEntry, count: int) -> PoEntry:
    """The same message with what the template says of it today; fuzzy if its plural changed."""
    msgstr = old.msgstr if any(old.msgstr) else _empty(source, count)
    fits = len(msgstr) == len(_empty(source, count))
    is_doubtful = any(msgstr) and (old.msgid_plural != source.msgid_plural or not fits)
    return old.changed(
        msgid_plural=source.msgid_plural,
        msgstr=msgstr if fits else _fit(msgstr, source, count),
        extracted=source.extracted,
        locations=source.locations,
        flags=_flags(old, source, fuzzy=(old.is_fuzzy and any(msgstr)) or is_doubtful),
        previous=Previous(msgid=old.msgid, msgid_plural=old.msgid_plural) if is_doubtful else old.previous,
        obsolete=False,
    )


def _reuse(old: PoEntry, source: PoEntry, count: int) -> PoEntry:
    """A new message with the translation of the one that it seems to replace, for a person to confirm."""
    return source.changed(
        msgstr=_fit(old.msgstr, source, count),
        comments=old.comments,
        flags=_flags(old, source, fuzzy=True),
        previous=Previous(context=old.context, msgid=old.msgid, msgid_plural=old.msgid_plural),
        line=0,
    )


def _retire(entry: PoEntry) -> PoEntry:
    return entry.changed(obsolete=True, locations=(), extracted=())


def _suggest(new: Sequence[PoEntry], removed: Sequence[PoEntry]) -> dict[tuple[str | None, str], PoEntry]:
    """New message → the removed one that it most resembles; each is used once, those of the same context first."""
    by_stem: dict[str, list[int]] = defaultdict(list)
    for index, entry in enumerate(removed):
        for stem in _stems(entry.msgid):
            by_stem[stem].append(index)
    scored: list[tuple[bool, float, int, int]] = []
    budget = _BUDGET
    for number, source in enumerate(new):
        for index in _nearest(source, by_stem)[: min(_CANDIDATES, budget)]:
            budget -= 1
            ratio = _similarity(source.msgid, removed[index].msgid)
            if ratio >= _SIMILAR:
                scored.append((source.context != removed[index].context, -ratio, number, index))
    chosen: dict[tuple[str | None, str], PoEntry] = {}
    used: set[int] = set()
    for _, _, number, index in sorted(scored):
        if new[number].key not in chosen and index not in used:
            chosen[new[number].key] = removed[index]
            used.add(index)
    return chosen


def _stems(text: str) -> set[str]:
    """The beginnings of the words: enough to find what may be alike, inflected or not."""
    return {word[:4] for word in _WORD.findall(text.lower())}


def _nearest(source: PoEntry, by_stem: dict[str, list[int]]) -> list[int]:
    shared: Counter[int] = Counter()
    for stem in _stems(source.msgid):
        shared.update(by_stem.get(stem, ())[:_COMMON_STEM])
    return [index for index, _ in shared.most_common()]


def _similarity(a: str, b: str) -> float:
    matcher = SequenceMatcher(None, a[:_COMPARED_CHARACTERS], b[:_COMPARED_CHARACTERS], autojunk=False)
    return matcher.ratio() if matcher.quick_ratio() >= _SIMILAR else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """How far a catalog is. translated + fuzzy + untranslated is the number of source texts."""

    translated: int
    """Every form filled and confirmed by a person."""
    fuzzy: int
    """A text is there, but a person has to confirm it; never sent."""
    untranslated: int
    """No text, or a plural with an empty form."""
    failing: int
    """Of the translated, those with an error of the checks; not sent either."""
    sendable: int
    """Source texts that can be sent in this language, inherited ones among them."""


def stats(
    po: PoFile, locale: Locale, sources: Iterable[PoEntry] | None = None, catalog: Catalog | None = None
) -> Stats:
    """Count the source texts (`sources`, usually the POT's messages; else the file's own) by their state.

    `catalog` is the locale's folded one, for `sendable`; without it only the file's own texts count.
    """
    forms = plural_forms_of(po)
    entries = {entry.key: entry for entry in po.messages}
    translated = fuzzy = untranslated = failing = sendable = 0
    for source in entries.values() if sources is None else sources:
        entry = entries.get(source.key)
        is_failing = False
        if entry is None or not any(entry.msgstr) or not (entry.is_fuzzy or all(entry.msgstr)):
            untranslated += 1
        elif entry.is_fuzzy:
            fuzzy += 1
        else:
            translated += 1
            is_failing = any(True for _ in check_errors(Subject(entry=entry, locale=locale, forms=forms)))
            failing += is_failing
        own = entry is not None and entry.is_translated and not is_failing
        sendable += own if catalog is None else catalog.has(source.context, source.msgid, source.msgid_plural)
    return Stats(translated=translated, fuzzy=fuzzy, untranslated=untranslated, failing=failing, sendable=sendable)
