"""Checks of one entry that a translator should look at; the text is sent all the same."""

from collections.abc import Iterator

from gateway.localization.findings import Finding, Severity, Subject, finding


def check_warnings(subject: Subject) -> Iterator[Finding]:
    """Every warning on an entry that its flags (`ignore-<check>`) do not silence."""
    for item in _all_warnings(subject):
        if f"ignore-{item.check}" not in subject.entry.flags:
            yield item


def _all_warnings(subject: Subject) -> Iterator[Finding]:
    entry = subject.entry
    if entry.is_fuzzy:
        yield _warning("fuzzy", subject, "a person has to confirm the translation; until then it is not sent")
    elif not any(entry.msgstr):
        yield _warning("untranslated", subject, "no translation")


def _warning(check: str, subject: Subject, message: str) -> Finding:
    return finding(check, Severity.WARNING, subject, message)
