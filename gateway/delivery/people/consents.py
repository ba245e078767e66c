"""What people said, put into the ledger: by a service, by an operator, from a file."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from gateway.delivery.accepting.recipients import normal_locale
from gateway.delivery.people.confirmation import Confirmation
from gateway.domain import ids
from gateway.domain.audit import AuditAction, AuditEntry, By, make_entry
from gateway.domain.encoding import decode, encode
from gateway.domain.ids import ConsentId, RecipientId, ServiceId, make_id
from gateway.domain.preferences import Consent, ConsentState
from gateway.domain.pseudonyms import Pseudonyms
from gateway.domain.recipients import Channel, JsonValue
from gateway.domain.values import Value, replace
from gateway.errors import FieldProblem, InvalidRequest
from gateway.localization.locales import UnknownLocale
from gateway.ports import Clock, ConsentStore, NewMessage, Wake

_UNDATED: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TAKEN_OVER: Final = "import"
"""The source of a denial that names none."""
_MANY: Final = "many"
"""The subject of an entry that is about several people."""


class Said(Value, frozen=True, kw_only=True):
    """What a person said of one topic on one channel, as a caller tells it."""

    recipient_id: RecipientId
    channel: Channel
    topic: str
    state: ConsentState
    source: str
    wording: str | None = None
    wording_version: str | None = None
    locale: str | None = None
    evidence: Mapping[str, JsonValue] | None = None
    at: datetime | None = None
    """None: now."""
    pointer: str
    """Where it stands in the request, for problems."""


class Recorder:
    """Adds lines to the ledger; a pending one starts a double opt-in."""

    def __init__(
        self, *, consents: ConsentStore, confirmation: Confirmation, pseudonyms: Pseudonyms, wake: Wake, clock: Clock
    ) -> None:
        self._consents = consents
        self._confirmation = confirmation
        self._pseudonyms = pseudonyms
        self._wake = wake
        self._clock = clock

    async def record(
        self, service_id: ServiceId, live: bool, said: Sequence[Said], by: By, *, audited: bool
    ) -> Sequence[Consent]:
        """Add all of it, or nothing; the lines that were added.

        Raises InvalidRequest that names every wrong value. With `audited` one entry of the audit trail tells who did
        so; the lines name the actor either way.
        """
        now = self._clock.now()
        problems: list[FieldProblem] = []
        lines: list[Consent] = []
        messages: dict[ConsentId, NewMessage] = {}
        for one in said:
            if found := _problems_of(one, now):
                problems.extend(found)
                continue
            line = self._line(service_id, one, by, now)
            if line.state is ConsentState.PENDING and not problems:
                try:
                    line, messages[line.id] = await self._confirmation.prepare(line, live, one.pointer)
                except InvalidRequest as error:
                    problems.extend(error.problems)
            lines.append(line)
        if problems:
            raise InvalidRequest("The consents have wrong values.", problems)
        entry = self._entry(lines, by, now) if audited else None
        added = await self._consents.add_consents(lines, messages=messages, entry=entry)
        if messages:
            self._wake.ring()
        return added

    async def take_over(self, service_id: ServiceId, said: Sequence[Said], by: By) -> Sequence[bool]:
        """Add what another system knows, without the lines that were taken over before; whether each was new.

        Everything must have passed `check_taken_over`. The same line has the same id each time, so a repeat adds
        nothing, and it does not bring back whom an erasure took out.
        """
        now = self._clock.now()
        known = [one if one.source else replace(one, source=_TAKEN_OVER) for one in said]
        lines = [self._line(service_id, one, by, now, self._id_of(service_id, one)) for one in known]
        if not lines:
            return ()
        added = await self._consents.add_consents(lines, entry=self._entry(lines, by, now), again=True)
        fresh = {line.id for line in added}
        told: list[bool] = []
        for line in lines:
            told.append(line.id in fresh)
            fresh.discard(line.id)
        return told

    def _id_of(self, service_id: ServiceId, said: Said) -> ConsentId:
        evidence = None if said.evidence is None else decode(encode(said.evidence))
        parts = (said.channel, said.topic, said.state, said.source, said.wording, said.wording_version, said.locale)
        told = encode([*parts, evidence, said.at]).decode()
        name = self._pseudonyms.of("consent", service_id, said.recipient_id, told)
        return ConsentId(make_id(ids.CONSENT, said.at or _UNDATED, int(name, 16)))

    def _line(
        self, service_id: ServiceId, said: Said, by: By, now: datetime, consent_id: ConsentId | None = None
    ) -> Consent:
        return Consent(
            id=consent_id or ConsentId(make_id(ids.CONSENT, now)),
            service_id=service_id,
            recipient_id=said.recipient_id,
            channel=said.channel,
            topic=said.topic,
            state=said.state,
            source=said.source,
            wording=said.wording,
            wording_version=said.wording_version,
            locale=_normal(said.locale),
            evidence=said.evidence,
            actor=by.actor,
            at=said.at or now,
            recorded_at=now,
        )

    def _entry(self, lines: Sequence[Consent], by: By, now: datetime) -> AuditEntry:
        """One entry for the request: of one person by their pseudonym, of many by their number."""
        people = {line.recipient_id for line in lines}
        names = {self._pseudonyms.of_person(lines[0].service_id, person) for person in people}
        told: dict[str, JsonValue] = {"lines": len(lines)}
        if len(lines) == 1:
            (line,) = lines
            told |= {"consent_id": line.id, "state": line.state.value}
            told |= {"channel": line.channel.value, "topic": line.topic}
        return make_entry(AuditAction.CONSENT, names.pop() if len(names) == 1 else _MANY, by, now, told)


def check_taken_over(said: Said, now: datetime) -> None:
    """What another system says must say where it comes from. Raises InvalidRequest that names what is missing."""
    problems = _problems_of(said, now)
    if said.state is ConsentState.PENDING:
        told = "A double opt-in is started for one person at a time; take over what people granted or denied."
        problems.append(FieldProblem(pointer=f"{said.pointer}/state", code="not_said_yet", message=told))
    if said.state is ConsentState.GRANTED and said.at is None:
        told = "A grant counts from when it was given: say that instant."
        problems.append(FieldProblem(pointer=f"{said.pointer}/at", code="missing", message=told))
    if said.state is ConsentState.GRANTED and not said.source:
        told = "A grant must be provable: say where it was given, such as `signup-form`."
        problems.append(FieldProblem(pointer=f"{said.pointer}/source", code="missing", message=told))
    if problems:
        raise InvalidRequest("The consent cannot be taken over.", problems)


def _problems_of(said: Said, now: datetime) -> list[FieldProblem]:
    problems: list[FieldProblem] = []
    if said.at is not None and said.at > now:
        told = "A consent cannot be given in the future; leave `at` out for now."
        problems.append(FieldProblem(pointer=f"{said.pointer}/at", code="in_the_future", message=told))
    try:
        _normal(said.locale)
    except UnknownLocale as error:
        problems.append(FieldProblem(pointer=f"{said.pointer}/locale", code="unknown_locale", message=str(error)))
    return problems


def _normal(locale: str | None) -> str | None:
    return None if locale is None else normal_locale(locale)
