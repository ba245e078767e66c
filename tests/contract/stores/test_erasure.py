"""A person who was erased can be read nowhere: not in any column of any table, nor in the bytes of a file."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.delivery.people.ledger import verify
from gateway.domain.audit import Actor, AuditAction, AuditEntry, By, make_entry
from gateway.domain.ids import ConsentId, DeliveryId, MessageId, RecipientId
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import Attachment, Attempt, Outcome, SendResult
from gateway.domain.receipts import Receipt
from gateway.domain.recipients import Channel, EmailAddress, PhoneNumber, PushDevice, PushPlatform, Recipient
from gateway.domain.values import replace
from gateway.errors import NotFound
from gateway.ports import AuditQuery, MailboxItem, Telling
from gateway.ports.erasing import Advance
from gateway.storage import tables
from gateway.storage.store import Store
from tests.contract.store_builders import WORKER, Place, make_choice, new_message, reservation_for, step_for
from tests.factories import NOW, SERVICE, make_consent, make_recipient, make_suppression
from tests.fakes import SetClock

AMINA = RecipientId("user-42-amina")
WORDS = ("user-42-amina", "amina.b@example.org", "+33612345678", "device-amina", "Benali", "Rosengasse")
"""What anybody could read of her."""
KNOWN = make_recipient(
    id=AMINA,
    email=EmailAddress("Amina.B@example.org"),
    phone=PhoneNumber("+33612345678"),
    push=(PushDevice(platform=PushPlatform.FCM, token="device-amina"),),
    attributes={"name": "Amina Benali"},
)
FILLED = {
    *("messages", "deliveries", "attempts", "attachments", "message_tags", "idempotency_keys", "mailbox"),
    *("recipients", "consents", "suppressions", "inbound"),
}
"""The tables in which she can be read before."""
OTHER = make_recipient(id=RecipientId("user-43"), email=EmailAddress("bea@example.org"), phone=None, push=())
BY = By(actor=Actor("key:key_1"), service_id=SERVICE, reason="asked by AMINA.B@example.org, user-42-amina")


def entry() -> AuditEntry:
    return make_entry(AuditAction.ERASE, "pseudonym", BY, NOW)


async def fill(store: Store) -> None:
    """Everything that a gateway may come to hold of a person, and somebody else beside her."""
    await deliver(store)
    await store.recipients.put_recipients(SERVICE, (KNOWN, OTHER), NOW)
    await store.readers.choose(make_choice({"why": "Benali"}, service_id=SERVICE, recipient_id=AMINA))
    said: dict[str, Any] = {
        "recipient_id": AMINA,
        "wording": "I, Benali, agree",
        "evidence": {"street": "Rosengasse 1"},
    }
    await store.consents.add_consents([make_consent(**said), make_consent(id=ConsentId("cns_2"), **said)])
    await store.suppressions.add_suppression(
        make_suppression(address="amina.b@example.org", evidence={"text": "Benali"})
    )
    personal: dict[str, Any] = {
        "data": {"name": "Benali"},
        "metadata": {"to": "Rosengasse"},
        "tags": ("amina.b@example.org",),
    }
    attached = Attachment(filename="Benali.pdf", content_type="application/pdf", content=b"Rosengasse")
    inline = replace(KNOWN, id=None, email=EmailAddress("AMINA.B@example.org"), attributes={})
    batch = [
        new_message(2, to=KNOWN, attachments=(attached,), secrets={"code": "Benali"}, **personal),
        new_message(3, to=inline, due_at=NOW.replace(year=2027), **personal),
        new_message(4, to=Recipient(push=KNOWN.push), channels=(Channel.PUSH,), **personal),
        new_message(5, to=OTHER),
        *(new_message(number, to=Recipient(id=AMINA), **personal) for number in range(10, 330)),
        *(new_message(number, to=inline, **personal) for number in range(330, 540)),
    ]
    await store.accepting.accept_batch(SERVICE, batch, None, lambda _: b"{}")


async def deliver(store: Store) -> None:
    """A message that went out whole, with what its provider said and what the mailbox kept."""
    await store.accepting.accept(new_message(1, to=KNOWN, key="welcome-user-42-amina", data={"name": "Benali"}))
    (claim,) = await store.dispatch.claim(WORKER, 1, NOW.replace(year=2027))
    reservation = reservation_for(claim)
    assert await store.dispatch.reserve(reservation)
    result = SendResult(outcome=Outcome.REJECTED, detail="550 Amina.B@example.org: no such Benali")
    attempt: Attempt = replace(reservation.attempt, finished_at=NOW, result=result)
    assert await store.dispatch.record(step_for(claim, DeliveryStatus.FAILED, attempt=attempt, reason="rejected"))
    told = Receipt(event_id="r-1", delivery_id=claim.delivery.id, status="blocked", detail="no Benali here")
    await store.receipts.take_in(Telling(provider="smtp-main", receipts=(told,), at=NOW))
    await store.mailbox.keep(
        MailboxItem(
            delivery_id=claim.delivery.id,
            channel=Channel.EMAIL,
            sender="shop@example.org",
            to="Amina.B@example.org",
            content=reservation.content,  # type: ignore[arg-type]
            raw=b"To: Amina.B@example.org",
            received_at=NOW,
        )
    )
    inbound = {"id": "inb_1", "provider": "sms", "provider_event_id": "1", "channel": "sms", "sender": "+33612345678"}
    async with store.database.writer.transaction() as connection:
        row = {**inbound, "recipient": "+33700000000", "text": "I am Benali", "kind": "unclear", "at": NOW}
        await connection.execute(tables.inbound.insert().values(**row, handled={"from": "Benali"}))


async def found(store: Store, words: Sequence[str] = WORDS) -> set[tuple[str, str]]:
    """Each column in which one of the words stands, whatever the column is for."""
    places: set[tuple[str, str]] = set()
    async with store.database.reader.connect() as connection:
        for table in tables.metadata.sorted_tables:
            columns = [
                column if isinstance(column.type, sa.LargeBinary) else sa.cast(column, sa.Text).label(column.name)
                for column in table.columns
            ]
            for row in await connection.execute(sa.select(*columns)):
                for column, value in zip(table.columns, row, strict=True):
                    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
                    if any(word.lower() in text.lower() for word in words):
                        places.add((table.name, column.name))
    return places


def test_every_table_is_looked_through() -> None:
    assert {"messages", "mailbox", "erasures", "audit", "inbound"} <= set(tables.metadata.tables)


async def test_nothing_readable_is_left_whoever_is_stopped_after_whichever_step(place: Place, clock: SetClock) -> None:
    async with place.open(clock) as store:
        await store.leases.join(WORKER)
        await fill(store)
        before = await found(store)
        erasure = await store.erasures.begin_erasure(SERVICE, AMINA, entry(), NOW.replace(year=2028))
    advances: list[Advance] = []

    while not advances or advances[-1] is not Advance.DONE:
        # A process of its own for each step: what one of them knew is gone with it.
        async with place.open(clock) as store:
            assert [one.id for one in await store.erasures.open_erasures()] == [erasure.id]
            advances.append(await store.erasures.advance_erasure(erasure.id, NOW))

    async with place.open(clock) as store:
        left = await found(store)
        assert await store.erasures.open_erasures() == []
        record = await store.log.read(MessageId("msg_000005"), SERVICE)
        assert record.message.to == OTHER
        assert (await store.recipients.get_recipient(SERVICE, OTHER.id or AMINA)) == OTHER
    tested = {"messages", "deliveries", "contents", "attempts", "events", "mailbox", "recipients", "consents"}
    tested |= {"receipts"}
    assert tested - {"contents"} <= {table for table, _ in before}
    assert {"suppressions", "inbound", "attachments", "message_tags", "idempotency_keys"} <= {
        name for name, _ in before
    }
    assert left == set()
    assert len(advances) > 3


async def test_what_waited_is_taken_back_and_what_must_hold_holds(store: Store) -> None:
    await fill(store)
    kept = await store.suppressions.list_suppressions(Channel.EMAIL, "amina.b@example.org", 5, None)
    amina = store.pseudonyms.of_person(SERVICE, AMINA)
    asked = replace(entry(), subject=amina)
    erasure = await store.erasures.begin_erasure(SERVICE, AMINA, asked, NOW.replace(year=2028))

    while await store.erasures.advance_erasure(erasure.id, NOW) is Advance.MORE:
        pass

    waiting = await store.log.read(MessageId("msg_000003"), SERVICE)
    gone = await store.log.read(MessageId("msg_000001"), SERVICE)
    events = [event.type for event in (await store.log.events(waiting.message.id, SERVICE, 9, None)).items]
    assert (waiting.status, gone.status) == (DeliveryStatus.CANCELLED, DeliveryStatus.FAILED)
    assert events == ["message.accepted", "delivery.cancelled", "message.erased"]
    assert [record.delivery.reason for record in waiting.deliveries] == ["erased"]
    claims = await store.dispatch.claim(WORKER, 50, NOW.replace(year=2028))
    assert [claim.message.id for claim in claims] == ["msg_000005"]
    still = await store.suppressions.list_suppressions(Channel.EMAIL, "Amina.B@example.org", 5, None)
    assert [(one.id, one.address, one.evidence) for one in still.items] == [(kept.items[0].id, None, None)]
    found_suppressed = await store.suppressions.find_suppressed([(Channel.EMAIL, "amina.b@example.org")], NOW)
    assert len(found_suppressed) == 1
    ledger = await verify(store.ledger, store.audit, store.pseudonyms.of_person, (), lambda _done, _total: None)
    assert (ledger.lines, ledger.findings) == (2, ())
    (told,) = (await store.audit.list_audit(AuditQuery(action=AuditAction.ERASE), 5, None)).items
    assert (told.actor, told.subject, told.reason) == (BY.actor, amina, "asked by (erased), (erased)")


async def test_a_message_in_a_providers_hands_is_waited_for(store: Store) -> None:
    await store.accepting.accept(new_message(1, to=KNOWN))
    (claim,) = await store.dispatch.claim(WORKER, 1, NOW.replace(year=2027))
    reservation = reservation_for(claim)
    assert await store.dispatch.reserve(reservation)
    erasure = await store.erasures.begin_erasure(SERVICE, AMINA, entry(), NOW.replace(year=2028))

    first = await store.erasures.advance_erasure(erasure.id, NOW)
    condemned = make_suppression(address="amina.b@example.org", evidence={"detail": "550 no such Benali"})
    answered = replace(reservation.attempt, finished_at=NOW)
    await store.dispatch.record(step_for(claim, attempt=answered, suppressions=(condemned,)))
    then = [await store.erasures.advance_erasure(erasure.id, NOW) for _ in range(2)]

    assert first is Advance.WAITING
    assert then == [Advance.MORE, Advance.DONE]
    assert await found(store) == set()
    bounced = (Channel.EMAIL, "amina.b@example.org")
    assert await store.suppressions.find_suppressed([bounced], NOW) == {bounced}


async def test_a_claim_that_was_taken_before_comes_to_nothing(store: Store) -> None:
    await store.accepting.accept(new_message(1, to=KNOWN))
    (claim,) = await store.dispatch.claim(WORKER, 1, NOW.replace(year=2027))
    erasure = await store.erasures.begin_erasure(SERVICE, AMINA, entry(), NOW.replace(year=2028))
    while await store.erasures.advance_erasure(erasure.id, NOW) is Advance.MORE:
        pass

    reserved = await store.dispatch.reserve(reservation_for(claim))
    recorded = await store.dispatch.record(step_for(claim))

    assert (reserved, recorded) == (False, False)
    assert await found(store) == set()


async def test_somebody_of_whom_nothing_is_kept_cannot_be_erased(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.erasures.begin_erasure(SERVICE, AMINA, entry(), NOW)

    assert (await store.audit.list_audit(AuditQuery(), 5, None)).items == ()


async def test_a_file_holds_nothing_in_its_free_pages_either(tmp_path: Path, clock: SetClock) -> None:
    place = Place(f"sqlite:///{tmp_path / 'store.db'}")
    async with place.open(clock) as store:
        await store.leases.join(WORKER)
        await fill(store)
        erasure = await store.erasures.begin_erasure(SERVICE, AMINA, entry(), NOW.replace(year=2028))
        while await store.erasures.advance_erasure(erasure.id, NOW) is Advance.MORE:
            pass

        is_wiped = await store.erasures.wipe()
        contents = await asyncio.to_thread(lambda: {one.name: one.read_bytes().lower() for one in tmp_path.iterdir()})

    left = {(name, word) for name, content in contents.items() for word in WORDS if word.lower().encode() in content}
    assert is_wiped
    assert "store.db" in contents
    assert left == set()


async def test_what_a_provider_says_of_somebody_who_was_erased_is_kept_without_its_words(store: Store) -> None:
    await deliver(store)
    erasure = await store.erasures.begin_erasure(SERVICE, AMINA, entry(), NOW.replace(year=2028))
    while await store.erasures.advance_erasure(erasure.id, NOW) is not Advance.DONE:
        pass
    late = Receipt(event_id="r-2", delivery_id=DeliveryId("dlv_000001"), status="bounce", detail="no Benali here")

    heard = await store.receipts.take_in(Telling(provider="smtp-main", receipts=(late,), at=NOW))

    assert heard.new == 1
    assert heard.parked == 0
    assert await found(store) == set()
