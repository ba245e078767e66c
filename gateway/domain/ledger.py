"""The consent ledger: lines in chains, so that none is changed, removed, put in or moved without its being seen.

Each line's hash covers what it says and the hash of the line before it. What erasure takes (the person's id, the
evidence, the wording's text) is covered by digests that stay: a line that was blanked is as sound as before.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Final

from gateway.domain.encoding import decode, encode
from gateway.domain.ids import RecipientId, ServiceId
from gateway.domain.instants import rfc3339, rfc3339_or_none
from gateway.domain.preferences import Consent
from gateway.domain.recipients import JsonValue
from gateway.domain.values import Value, replace

FORMAT: Final = "heliograph-consent-1"
"""Named in every hash; a line of another make would be another format, beside this one."""
ORIGIN: Final = "0" * 64
"""What stands for the line before the first."""
ERASED: Final = RecipientId("")
"""Whose line it is once the person was erased."""


class Head(Value, frozen=True, kw_only=True):
    """Where a service's chain ends."""

    service_id: ServiceId
    length: int = 0
    hash: str = ORIGIN


class Line(Value, frozen=True, kw_only=True):
    """A line of the history in its place in its service's chain."""

    consent: Consent
    position: int
    """1 for the first of the service."""
    subject: str
    """The person's pseudonym, which stays the same in all lines and outlives an erasure."""
    wording_digest: str | None
    """SHA-256 of the wording: the same sentence has the same digest in every line."""
    evidence_salt: str | None
    """Random, and gone with the evidence: without it nobody can try out what the evidence was."""
    evidence_digest: str | None
    """SHA-256 of the salt and the evidence."""
    previous_hash: str
    hash: str

    @property
    def is_erased(self) -> bool:
        """Whether what named the person was taken out."""
        return self.consent.recipient_id == ERASED


def chain(consent: Consent, subject: str, salt: str, head: Head) -> Line:
    """The line that follows `head` in its chain."""
    evidence = consent.evidence
    line = Line(
        consent=consent,
        position=head.length + 1,
        subject=subject,
        wording_digest=None if consent.wording is None else digest_wording(consent.wording),
        evidence_salt=None if evidence is None else salt,
        evidence_digest=None if evidence is None else digest_evidence(salt, evidence),
        previous_hash=head.hash,
        hash="",
    )
    return replace(line, hash=hash_line(line))


def head_after(line: Line) -> Head:
    """The chain's end once the line is part of it."""
    return Head(service_id=line.consent.service_id, length=line.position, hash=line.hash)


def blanked(line: Line) -> Line:
    """The line once the person was erased: nobody can read whose it was, and its hash stays true."""
    consent = replace(line.consent, recipient_id=ERASED, wording=None, evidence=None)
    return replace(line, consent=consent, evidence_salt=None)


def hash_line(line: Line) -> str:
    """SHA-256, in hex, of the line's members as a JSON array: ASCII, no spaces, instants in RFC 3339."""
    said = line.consent
    members = (
        FORMAT,
        line.previous_hash,
        line.position,
        said.id,
        said.service_id,
        line.subject,
        said.channel.value,
        said.topic,
        said.state.value,
        said.source,
        line.wording_digest,
        said.wording_version,
        said.locale,
        line.evidence_digest,
        said.actor,
        rfc3339(said.at),
        rfc3339(said.recorded_at),
        rfc3339_or_none(said.requested_at),
        rfc3339_or_none(said.confirmed_at),
    )
    return _sha256(_canonical(members))


def digest_wording(wording: str) -> str:
    """SHA-256 of the text in UTF-8, in hex."""
    return _sha256(wording)


def digest_evidence(salt: str, evidence: Mapping[str, JsonValue]) -> str:
    """SHA-256, in hex, of the salt and the evidence as JSON: ASCII, members by name, no spaces."""
    # As it will be read back: what JSON cannot say exactly is settled first.
    return _sha256(salt + _canonical(decode(encode(evidence))))


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


Naming = Callable[[str, str], str]
"""The pseudonym of (service, recipient)."""
