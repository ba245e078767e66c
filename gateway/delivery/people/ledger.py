"""Checking the consent ledger from its first line to its last, beside a gateway that goes on writing to it."""

from collections.abc import Callable, Set

from gateway.domain.audit import AuditAction
from gateway.domain.ids import ServiceId
from gateway.domain.ledger import Head, Naming
from gateway.domain.ledger_check import ChainCheck, Finding
from gateway.domain.values import Value
from gateway.ports import AuditQuery, AuditStore, LedgerStore

_STEP = 500

Progress = Callable[[int, int], None]
"""Told how many lines were looked at, and how many there are."""


class Verification(Value, frozen=True, kw_only=True):
    """What a check of the whole ledger came to."""

    lines: int
    erased: int
    """How many of them are of people who were erased."""
    heads: tuple[Head, ...]
    """Where each service's chain ends: who notes it can show later that nothing before it was changed."""
    findings: tuple[Finding, ...]


async def verify(
    ledger: LedgerStore, audit: AuditStore, naming: Naming, noted: tuple[Head, ...], progress: Progress
) -> Verification:
    """Look at every line of every service's chain; `noted` ends of chains must still be part of them.

    A line whose person was taken out must have an erasure in the audit trail.
    """
    known = {head.service_id: head for head in await ledger.heads()}
    expected = {head.service_id: head for head in noted}
    total = sum(head.length for head in known.values())
    checks: list[ChainCheck] = []
    findings: list[Finding] = []
    seen = 0
    for service_id in sorted({*known, *expected}):
        head = known.get(service_id, Head(service_id=ServiceId(service_id)))
        check = ChainCheck(head, naming, expected.get(service_id))
        async for kept in ledger.lines(service_id):
            check.see(kept)
            seen += 1
            if seen % _STEP == 0:
                progress(min(seen, total), total)
        findings.extend(check.end(await ledger.head(service_id)))
        checks.append(check)
    if any(check.erased for check in checks):
        # Read after the lines: a person who was erased meanwhile is there as well.
        erased = await _erased(audit)
        findings.extend(finding for check in checks for finding in check.without(erased))
    progress(total, total)
    return Verification(
        lines=sum(check.lines for check in checks),
        erased=sum(check.erased for check in checks),
        heads=tuple(known.values()),
        findings=tuple(findings),
    )


async def _erased(audit: AuditStore) -> Set[str]:
    """The pseudonyms of everybody who was erased."""
    found: set[str] = set()
    cursor: str | None = None
    while True:
        page = await audit.list_audit(AuditQuery(action=AuditAction.ERASE), _STEP, cursor)
        found.update(entry.subject for entry in page.items)
        cursor = page.next_cursor
        if cursor is None:
            return found
