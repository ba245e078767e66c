"""What every store keeps to as a ledger: its chains are whole, and whoever touches a row is found out."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
import sqlalchemy as sa

from gateway.delivery.people.ledger import verify
from gateway.domain.audit import SYSTEM, AuditAction, By, make_entry
from gateway.domain.ids import ConsentId, RecipientId, ServiceId
from gateway.domain.ledger import Head
from gateway.domain.ledger_check import Fault, Finding
from gateway.domain.preferences import ASKED_AGAIN_AFTER, Consent, ConsentState
from gateway.domain.values import replace
from gateway.errors import Conflict, NotFound
from gateway.ports import AuditQuery, MessageQuery
from gateway.storage.people.ledger import blank_person
from gateway.storage.store import Store
from tests.contract.store_builders import new_message
from tests.factories import NOW, SERVICE, make_consent, make_recipient

AMINA, BO = RecipientId("user-42"), RecipientId("user-43")
OTHER = ServiceId("svc_other")
PENDING = make_consent(id=ConsentId("cns_pending"), state=ConsentState.PENDING, at=NOW, recorded_at=NOW)


def line(number: int, **changes: object) -> Consent:
    made = {"id": ConsentId(f"cns_{number}"), "wording": "Yes, write to me", "evidence": {"ip": "192.0.2.1", "n": 1.5}}
    return make_consent(**{**made, **changes})


async def findings_of(store: Store, *noted: Head) -> Sequence[Finding]:
    found = await verify(store.ledger, store.audit, store.pseudonyms.of_person, noted, lambda _done, _total: None)
    return found.findings


async def tamper(store: Store, *statements: str) -> None:
    async with store.database.writer.transaction() as connection:
        for statement in statements:
            await connection.execute(sa.text(statement))


async def test_lines_of_many_writers_stand_in_one_whole_chain_for_each_service(store: Store) -> None:
    services = (SERVICE, OTHER)

    await asyncio.gather(
        *(store.consents.add_consents([line(number, service_id=services[number % 2])]) for number in range(60))
    )

    checked = await verify(store.ledger, store.audit, store.pseudonyms.of_person, (), lambda _done, _total: None)
    assert checked.findings == ()
    assert checked.lines == 60
    assert {head.service_id: head.length for head in checked.heads} == {SERVICE: 30, OTHER: 30}


async def test_several_processes_write_to_one_chain(store: Store, place: object, clock: object) -> None:
    async with place.open(clock) as other:  # type: ignore[attr-defined]
        await asyncio.gather(
            *(
                (store if number % 2 else other).consents.add_consents([line(number), line(number + 100)])
                for number in range(40)
            )
        )

    assert await findings_of(store) == ()
    assert [head.length for head in await store.ledger.heads()] == [80]


@pytest.mark.parametrize(
    ("statements", "named", "fault"),
    [
        (("UPDATE consents SET state = 'denied' WHERE id = 'cns_3'",), {"cns_3"}, Fault.CHANGED),
        (("UPDATE consents SET evidence = '{\"ip\":\"192.0.2.9\"}' WHERE id = 'cns_3'",), {"cns_3"}, Fault.CHANGED),
        (("UPDATE consents SET wording = NULL WHERE id = 'cns_3'",), {"cns_3"}, Fault.CHANGED),
        (("UPDATE consents SET recipient_id = 'user-43' WHERE id = 'cns_3'",), {"cns_3"}, Fault.CHANGED),
        (("UPDATE consents SET hash = previous_hash WHERE id = 'cns_3'",), {"cns_3"}, Fault.CHANGED),
        (("UPDATE consents SET recipient_id = '' WHERE id = 'cns_3'",), {"cns_3"}, Fault.CHANGED),
        (("DELETE FROM consents WHERE id = 'cns_3'",), {None}, Fault.REMOVED),
        (("DELETE FROM consents WHERE id = 'cns_5'",), {None}, Fault.REMOVED),
        (("DELETE FROM consents",), {None}, Fault.REMOVED),
        (("UPDATE consents SET id = 'cns_x', seq = 999, position = 9 WHERE id = 'cns_5'",), {None, "cns_x"}, None),
        (
            (
                "UPDATE consents SET position = -1 WHERE id = 'cns_2'",
                "UPDATE consents SET position = 2 WHERE id = 'cns_3'",
                "UPDATE consents SET position = 3 WHERE id = 'cns_2'",
            ),
            {"cns_2", "cns_3"},
            Fault.REORDERED,
        ),
        (("UPDATE consents SET seq = 1000 WHERE id = 'cns_2'",), {"cns_2", "cns_3"}, Fault.REORDERED),
    ],
)
async def test_a_row_that_somebody_touched_is_named(
    store: Store, statements: Sequence[str], named: set[str | None], fault: Fault | None
) -> None:
    await store.consents.add_consents([line(number) for number in range(1, 6)])
    await store.consents.add_consents([line(9, service_id=OTHER)])

    await tamper(store, *statements)

    found = [finding for finding in await findings_of(store) if finding.service_id == SERVICE]
    assert {finding.consent_id for finding in found} == named
    assert fault is None or {finding.fault for finding in found} == {fault}


async def test_a_row_that_was_put_in_is_named(store: Store) -> None:
    await store.consents.add_consents([line(number) for number in range(1, 4)])
    columns = "service_id, recipient_id, channel, topic, source, at, recorded_at, subject, previous_hash, hash"
    copied = f"INSERT INTO consents (id, state, position, {columns}) SELECT 'cns_x', 'granted', 4, {columns}"

    await tamper(store, f"{copied} FROM consents WHERE id = 'cns_3'")

    (found,) = await findings_of(store)
    assert (found.consent_id, found.position, found.fault) == ("cns_x", 4, Fault.INSERTED)


async def test_a_chain_that_was_written_anew_is_found_by_its_noted_end(store: Store) -> None:
    await store.consents.add_consents([line(1), line(2)])
    (noted,) = await store.ledger.heads()
    await tamper(store, "DELETE FROM consents", "DELETE FROM consent_chains")
    await store.consents.add_consents([line(1), line(2, state=ConsentState.DENIED), line(3)])

    unaware, aware = await findings_of(store), await findings_of(store, noted)

    assert unaware == ()
    (found,) = aware
    assert (found.consent_id, found.fault) == ("cns_2", Fault.CHANGED)
    assert [one.fault for one in await findings_of(store, replace(noted, length=7))] == [Fault.REMOVED]


async def test_an_erased_person_leaves_lines_that_nobody_can_read_and_a_whole_chain(store: Store) -> None:
    await store.consents.add_consents([line(1), line(2, recipient_id=BO), line(3)])

    blanked = await store.database.writer.run(lambda driver: blank_person(driver, SERVICE, AMINA))
    await store.consents.add_consents([line(4)])
    (unexplained,) = await findings_of(store)
    subject = store.pseudonyms.of_person(SERVICE, AMINA)
    await store.audit.add_audit(make_entry(AuditAction.ERASE, subject, By(actor=SYSTEM), NOW))

    checked = await verify(store.ledger, store.audit, store.pseudonyms.of_person, (), lambda _done, _total: None)
    assert (blanked, checked.erased, checked.findings) == (2, 2, ())
    assert (unexplained.consent_id, unexplained.told) == ("cns_1", "nobody erased its person")
    kept = [kept.line async for kept in store.ledger.lines(SERVICE)]
    assert [one.consent.recipient_id for one in kept] == ["", BO, "", AMINA]
    assert (kept[0].consent.wording, kept[0].consent.evidence, kept[0].evidence_salt) == (None, None, None)
    assert kept[0].subject == kept[3].subject != kept[1].subject
    assert kept[0].wording_digest == kept[1].wording_digest
    assert [one.id for one in (await store.consents.consent_history(SERVICE, AMINA, 9, None)).items] == ["cns_4"]
    with pytest.raises(NotFound):
        await store.consents.get_consent(ConsentId("cns_1"))


async def test_the_state_of_a_past_instant_is_what_was_said_or_known_by_then(store: Store) -> None:
    day = timedelta(days=1)
    grant = line(1, at=NOW - 9 * day, recorded_at=NOW - 9 * day)
    denial = line(2, state=ConsentState.DENIED, at=NOW - 5 * day, recorded_at=NOW - day)
    await store.consents.add_consents([grant, denial])

    async def state(**when: object) -> list[Consent]:
        return [*await store.consents.current_consents(SERVICE, AMINA, **when)]  # type: ignore[arg-type]

    assert await state(at=NOW - 10 * day) == []
    assert await state(at=NOW - 6 * day) == [grant]
    assert await state(at=NOW - 4 * day) == [denial]
    assert await state(at=NOW - 4 * day, known_at=NOW - 4 * day) == [grant]
    assert await state() == [denial]


async def test_a_double_opt_in_and_its_message_are_one(store: Store) -> None:
    entry = make_entry(AuditAction.CONSENT, "person", By(actor=SYSTEM), NOW)
    await store.accepting.accept(new_message(7))
    taken = {PENDING.id: new_message(7)}

    with pytest.raises(Conflict):
        await store.consents.add_consents([PENDING], messages=taken, entry=entry)

    assert (await store.consents.consent_history(SERVICE, AMINA, 9, None)).items == ()
    assert (await store.audit.list_audit(AuditQuery(), 9, None)).items == ()
    assert await findings_of(store) == ()

    await store.consents.add_consents([PENDING], messages={PENDING.id: new_message(8)}, entry=entry)

    assert (await store.consents.consent_history(SERVICE, AMINA, 9, None)).items == (PENDING,)
    assert (await store.audit.list_audit(AuditQuery(), 9, None)).items == (entry,)


async def test_whoever_asks_over_and_over_sends_one_message_an_hour(store: Store) -> None:
    async def ask(number: int, after: timedelta) -> Sequence[Consent]:
        again = replace(PENDING, id=ConsentId(f"cns_{number}"), at=NOW + after, recorded_at=NOW + after)
        return await store.consents.add_consents([again], messages={again.id: new_message(number)})

    first = await asyncio.gather(*(ask(number, timedelta()) for number in range(1, 6)))
    soon = await ask(7, ASKED_AGAIN_AFTER - timedelta(seconds=1))
    later = await ask(8, ASKED_AGAIN_AFTER)

    assert sorted(len(added) for added in first) == [0, 0, 0, 0, 1]
    assert (len(soon), len(later)) == (0, 1)
    assert len((await store.log.search(MessageQuery())).items) == 2


async def test_of_many_confirmations_one_grants_and_a_denial_is_not_undone(store: Store) -> None:
    await store.consents.add_consents([PENDING])
    grants = [
        replace(PENDING, id=ConsentId(f"cns_{number}"), state=ConsentState.GRANTED, at=NOW + timedelta(minutes=1))
        for number in range(5)
    ]

    held = await asyncio.gather(*(store.consents.confirm(PENDING, grant) for grant in grants))

    assert len({one.id for one in held}) == 1
    assert len((await store.consents.consent_history(SERVICE, AMINA, 9, None)).items) == 2
    no = replace(PENDING, id=ConsentId("cns_no"), state=ConsentState.DENIED, at=NOW + timedelta(minutes=2))
    await store.consents.add_consents([no])
    assert await store.consents.confirm(PENDING, replace(grants[0], id=ConsentId("cns_late"))) == no
    assert await store.consents.get_consent(no.id) == no


async def test_a_confirmation_that_an_erasure_overtook_brings_nobody_back(store: Store) -> None:
    await store.recipients.put_recipient(SERVICE, make_recipient(id=AMINA), NOW)
    await store.consents.add_consents([PENDING])
    entry = make_entry(AuditAction.ERASE, "pseudonym", By(actor=SYSTEM), NOW)
    await store.erasures.begin_erasure(SERVICE, AMINA, entry, NOW)

    with pytest.raises(NotFound):
        await store.consents.confirm(PENDING, replace(PENDING, id=ConsentId("cns_2"), state=ConsentState.GRANTED))

    assert (await store.consents.consent_history(SERVICE, AMINA, 9, None)).items == ()
