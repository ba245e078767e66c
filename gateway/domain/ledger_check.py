"""Whether a chain of the consent ledger is whole: names every line that was changed, removed, put in or moved."""

from collections.abc import Iterator, Set
from enum import StrEnum
from typing import Final

from gateway.domain.ids import ConsentId, ServiceId
from gateway.domain.ledger import ORIGIN, Head, Line, Naming, digest_evidence, digest_wording, hash_line
from gateway.domain.values import Value, replace

_MOST_COMPARED: Final = 200
"""Among how many broken lines those are sought that only changed places."""


class Fault(StrEnum):
    """What was done to a line."""

    CHANGED = "changed"
    REMOVED = "removed"
    INSERTED = "inserted"
    REORDERED = "reordered"


class Finding(Value, frozen=True, kw_only=True):
    """One line with which something is wrong."""

    service_id: ServiceId
    position: int
    consent_id: ConsentId | None
    """None for a line that is not there."""
    fault: Fault
    told: str
    """What is wrong, for people."""


class Kept(Value, frozen=True, kw_only=True):
    """A line as the store gave it."""

    line: Line
    seq: int
    """The number of its row: rows are numbered in the order in which they were written."""


class ChainCheck:
    """Looks at one service's lines, in the order of their places, and says in the end what it found."""

    def __init__(self, head: Head, naming: Naming, noted: Head | None = None) -> None:
        """`noted` is an end of the chain that somebody wrote down before: it must still be part of it."""
        self._head = head
        self._naming = naming
        self._noted = noted
        self._findings: dict[tuple[int, str], Finding] = {}
        self._broken: list[Line] = []
        self._erased: dict[str, Line] = {}
        """Of each person who was taken out the first line."""
        self._later: list[tuple[int, ConsentId]] = []
        """What was added after the head was read, or put there by somebody."""
        self._position = 0
        self._id: ConsentId | None = None
        self._seq = 0
        self._hashes = frozenset({ORIGIN})
        """What the next line may name as the hash before it."""
        self.lines = 0
        self.erased = 0

    def see(self, kept: Kept) -> None:
        """Look at the next line."""
        line, expected = kept.line, self._position + 1
        if line.position > self._head.length:
            self._later.append((line.position, line.consent.id))
            return
        if line.position < expected:
            self._find(line, Fault.INSERTED, "it stands in the place of another one")
            return
        self.lines += 1
        if line.is_erased:
            self.erased += 1
            self._erased.setdefault(line.subject, line)
        if line.position > expected:
            self._miss(expected, line.position - 1)
        made = hash_line(line)
        wrong = _wrong(line, made, self._naming)
        if kept.seq <= self._seq:
            self._find(line, Fault.REORDERED, "its row is numbered before that of the line which it follows")
            self._put(self._position, self._id, Fault.REORDERED, "its row is numbered after that of the line after it")
        elif wrong is not None:
            self._find(line, Fault.CHANGED, wrong)
        elif line.position == expected and line.previous_hash not in self._hashes:
            self._find_before("the line after it was written after another one")
        if made != line.hash:
            self._broken.append(line)
        if self._noted is not None and self._noted.length == line.position and self._noted.hash != line.hash:
            self._find(line, Fault.CHANGED, "it is not the line whose hash was noted")
        self._position, self._id, self._seq = line.position, line.consent.id, kept.seq
        self._hashes = frozenset({line.hash, made})

    def end(self, now: Head) -> tuple[Finding, ...]:
        """All that was found, by place; `now` is the chain's end after the last line was read."""
        for position, consent_id in self._later:
            if position > now.length:
                self._put(position, consent_id, Fault.INSERTED, "it stands behind the end of the chain")
        if self._position < self._head.length:
            self._miss(self._position + 1, self._head.length)
        elif self._head.hash not in self._hashes:
            self._find_before("the chain was ended with another line")
        if self._noted is not None and self._noted.length > self._head.length:
            self._miss(self._head.length + 1, self._noted.length)
        for line in self._broken[:_MOST_COMPARED]:
            if any(_was_at(line, other.position) for other in self._broken[:_MOST_COMPARED] if other is not line):
                self._find(line, Fault.REORDERED, "it stood in another place")
        return tuple(self._findings[place] for place in sorted(self._findings))

    def without(self, erased: Set[str]) -> Iterator[Finding]:
        """The lines of people who were taken out and are not among those who were erased, by pseudonym."""
        for subject, line in self._erased.items():
            if subject not in erased:
                yield self._finding(line.position, line.consent.id, Fault.CHANGED, "nobody erased its person")

    def _find(self, line: Line, fault: Fault, told: str) -> None:
        self._put(line.position, line.consent.id, fault, told)

    def _find_before(self, told: str) -> None:
        if not any(position == self._position for position, _ in self._findings):
            self._put(self._position, self._id, Fault.CHANGED, told)

    def _miss(self, first: int, last: int) -> None:
        told = "it is not there" if first == last else f"it and those after it, up to line {last}, are not there"
        self._put(first, None, Fault.REMOVED, told)

    def _put(self, position: int, consent_id: ConsentId | None, fault: Fault, told: str) -> None:
        self._findings[position, consent_id or ""] = self._finding(position, consent_id, fault, told)

    def _finding(self, position: int, consent_id: ConsentId | None, fault: Fault, told: str) -> Finding:
        return Finding(
            service_id=self._head.service_id, position=position, consent_id=consent_id, fault=fault, told=told
        )


def _wrong(line: Line, made: str, naming: Naming) -> str | None:
    """What of the line is not as it was recorded; None when all is."""
    said = line.consent
    if line.is_erased:
        if said.wording is not None or said.evidence is not None or line.evidence_salt is not None:
            return "its person's id was taken out, and not by an erasure"
    elif naming(said.service_id, said.recipient_id) != line.subject:
        return "it names another person"
    elif line.wording_digest != (None if said.wording is None else digest_wording(said.wording)):
        return "its wording is not what was recorded"
    elif _digest_of_evidence(line) != line.evidence_digest:
        return "its evidence is not what was recorded"
    return None if made == line.hash else "it does not say what was recorded"


def _digest_of_evidence(line: Line) -> str | None:
    evidence, salt = line.consent.evidence, line.evidence_salt
    if evidence is None and salt is None:
        return None
    return "" if evidence is None or salt is None else digest_evidence(salt, evidence)


def _was_at(line: Line, position: int) -> bool:
    moved = replace(line, position=position)
    return hash_line(moved) == line.hash
