"""What every store keeps to with services, keys, people, what they want, and the mailbox."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.audit import AuditAction, AuditEntry, By, make_entry, of_key
from gateway.domain.ids import ConsentId, DeliveryId, EventId, KeyId, RecipientId, ServiceId, SuppressionId, WorkerId
from gateway.domain.preferences import ConsentState, SuppressionReason
from gateway.domain.recipients import Channel, EmailAddress, JsonValue, PushDevice, PushPlatform, Recipient
from gateway.domain.values import replace
from gateway.errors import Conflict, InvalidRequest, NotFound
from gateway.ports import (
    ApiKey,
    AuditQuery,
    MailboxItem,
    MessageQuery,
    NewDelivery,
    NewMessage,
    SenderIdentity,
    Service,
)
from gateway.storage.cursors import make_cursor, read_cursor
from gateway.storage.store import Store
from tests.contract.store_builders import make_choice, new_event, new_message
from tests.factories import NOW, SERVICE, make_consent, make_delivery, make_message, make_recipient, make_suppression

AMINA = RecipientId("user-42")
OPS = By(actor=of_key(KeyId("key_ops")), service_id=SERVICE, reason="The number is somebody else's now")


def make_lifting(subject: str, **changes: object) -> AuditEntry:
    return replace(make_entry(AuditAction.LIFT, subject, OPS, NOW), **changes)


def make_service(name: str = "shop", service_id: str = SERVICE) -> Service:
    sender = SenderIdentity(channel=Channel.SMS, sender="+33700000000", country="FR")
    return Service(id=ServiceId(service_id), name=name, senders=(sender,), created_at=NOW)


def make_key(key_id: str = "key_1", **changes: object) -> ApiKey:
    fields = {
        "id": KeyId(key_id),
        "service_id": SERVICE,
        "live": True,
        "scopes": frozenset({"send", "read"}),
        "secret_hash": "0" * 64,
        "rate_per_second": 50.0,
        "created_at": NOW,
        "expires_at": None,
        "revoked_at": None,
    }
    return ApiKey(**{**fields, **changes})  # type: ignore[arg-type]


async def test_a_service_is_found_by_id_and_by_name_and_its_senders_are_replaced(store: Store) -> None:
    services = store.services
    await services.add_service(make_service())
    senders = (SenderIdentity(channel=Channel.EMAIL, sender="Shop <shop@example.org>", locale="fr"),)

    changed = await services.update_senders(SERVICE, senders)

    assert changed.senders == senders
    assert await services.get_service(SERVICE) == await services.find_service("shop") == changed
    assert await services.list_services() == [changed]


async def test_a_name_belongs_to_one_service(store: Store) -> None:
    services = store.services
    await services.add_service(make_service())

    with pytest.raises(Conflict) as refused:
        await services.add_service(make_service(service_id="svc_2"))

    assert refused.value.conflict_code == "name_taken"


async def test_what_is_not_there_is_not_found(store: Store) -> None:
    services = store.services

    for absent in (
        services.get_service(SERVICE),
        services.find_service("shop"),
        services.update_senders(SERVICE, ()),
        services.add_key(make_key()),
        services.get_key(KeyId("key_1")),
        services.revoke_key(KeyId("key_1"), NOW),
        services.expire_key(KeyId("key_1"), NOW),
        store.suppressions.remove_suppression(SuppressionId("sup_1"), make_lifting("sup_1")),
        store.mailbox.get_item(DeliveryId("dlv_1")),
    ):
        with pytest.raises(NotFound):
            await absent


async def test_keys_are_listed_newest_first_and_by_service(store: Store) -> None:
    services = store.services
    await services.add_service(make_service())
    await services.add_service(make_service("bank", "svc_2"))
    old, new = make_key("key_1"), make_key("key_2", created_at=NOW + timedelta(hours=1), rate_per_second=None)
    foreign = make_key("key_3", service_id="svc_2")
    for key in (old, new, foreign):
        await services.add_key(key)

    assert await services.get_key(old.id) == old
    assert await services.list_keys(SERVICE) == [new, old]
    assert {key.id for key in await services.list_keys(None)} == {"key_1", "key_2", "key_3"}


async def test_the_first_revocation_stands(store: Store) -> None:
    services = store.services
    await services.add_service(make_service())
    await services.add_key(make_key())

    await services.revoke_key(KeyId("key_1"), NOW)
    await services.revoke_key(KeyId("key_1"), NOW + timedelta(days=1))

    assert (await services.get_key(KeyId("key_1"))).revoked_at == NOW


async def test_a_rotated_key_never_lives_longer_than_it_would_have(store: Store) -> None:
    services = store.services
    await services.add_service(make_service())
    await services.add_key(make_key())
    soon, late = NOW + timedelta(hours=1), NOW + timedelta(days=1)

    await services.expire_key(KeyId("key_1"), soon)
    await services.expire_key(KeyId("key_1"), late)

    assert (await services.get_key(KeyId("key_1"))).expires_at == soon


async def test_the_latest_word_holds_for_each_channel_and_topic(store: Store) -> None:
    consents = store.consents
    late_told = make_consent(
        id=ConsentId("cns_3"), state=ConsentState.DENIED, at=NOW - timedelta(days=9), recorded_at=NOW
    )
    sms = make_consent(id=ConsentId("cns_4"), channel=Channel.SMS, evidence={"ip": "192.0.2.1"})
    grant = make_consent(id=ConsentId("cns_2"), at=NOW - timedelta(days=2))
    denial = make_consent(id=ConsentId("cns_1"), at=NOW - timedelta(days=5), state=ConsentState.DENIED)

    await consents.add_consents([denial, grant, late_told, sms])

    assert await consents.current_consents(SERVICE, AMINA) == [grant, sms]


@pytest.mark.parametrize("stricter", [ConsentState.DENIED, ConsentState.PENDING])
async def test_at_one_instant_no_grant_beats_what_is_stricter(store: Store, stricter: ConsentState) -> None:
    consents = store.consents
    told = make_consent(id=ConsentId("cns_1"), state=stricter)
    grant = make_consent(id=ConsentId("cns_2"))

    await consents.add_consents([told, grant])

    assert await consents.current_consents(SERVICE, AMINA) == [told]


async def test_consents_are_all_recorded_or_none(store: Store) -> None:
    consents = store.consents
    twice = make_consent(id=ConsentId("cns_1"))

    with pytest.raises(Conflict):
        await consents.add_consents([twice, twice])

    assert (await consents.consent_history(SERVICE, AMINA, 10, None)).items == ()


async def test_the_history_pages_through_every_line_newest_first_and_is_the_services_own(store: Store) -> None:
    consents = store.consents
    lines = [make_consent(id=ConsentId(f"cns_{number}")) for number in range(5)]
    await consents.add_consents(lines)
    await consents.add_consents([make_consent(id=ConsentId("cns_x"), service_id=ServiceId("svc_other"))])

    first = await consents.consent_history(SERVICE, AMINA, 3, None)
    second = await consents.consent_history(SERVICE, AMINA, 3, first.next_cursor)

    assert [*first.items, *second.items] == lines[::-1]
    assert second.next_cursor is None


async def test_the_same_suppression_is_kept_once(store: Store) -> None:
    suppressions = store.suppressions
    first = await suppressions.add_suppression(make_suppression())

    again = await suppressions.add_suppression(make_suppression(id=SuppressionId("sup_2"), created_at=NOW))

    assert again == first
    assert (await suppressions.list_suppressions(None, None, 10, None)).items == (first,)


async def test_two_spellings_of_one_mailbox_are_one_suppression(store: Store) -> None:
    kept = await store.suppressions.add_suppression(make_suppression(address="Amina@example.org"))

    again = await store.suppressions.add_suppression(make_suppression(id=SuppressionId("sup_2")))
    token = await store.suppressions.add_suppression(
        make_suppression(id=SuppressionId("sup_3"), channel=Channel.PUSH, address="ToKeN")
    )

    assert again == kept
    assert token.address == "ToKeN"
    assert (await store.suppressions.list_suppressions(None, "AMINA@example.org", 10, None)).items == (kept,)
    assert (await store.suppressions.list_suppressions(None, "ToKeN", 10, None)).items == (token,)


async def test_a_suppression_is_found_for_a_message_that_spells_the_address_otherwise(store: Store) -> None:
    kept = await store.suppressions.add_suppression(make_suppression(address="Amina@example.org"))
    message, delivery = make_message(to=Recipient(email=EmailAddress("aMINA@example.org"))), make_delivery()
    await store.accepting.accept(
        NewMessage(message=message, deliveries=(NewDelivery(delivery=delivery, due_at=NOW),), events=())
    )
    await store.leases.join(WorkerId("wrk_1"))

    (claim,) = await store.dispatch.claim(WorkerId("wrk_1"), 1, NOW)
    facts = await store.dispatch.facts([claim])

    assert facts[delivery.id].suppressions == (kept,)


async def test_of_two_suppressions_the_longer_holds(store: Store) -> None:
    suppressions = store.suppressions
    ends = NOW + timedelta(days=1)
    short = await suppressions.add_suppression(make_suppression(expires_at=ends))

    longer = await suppressions.add_suppression(make_suppression(id=SuppressionId("sup_2")))
    shorter = await suppressions.add_suppression(make_suppression(id=SuppressionId("sup_3"), expires_at=ends))

    assert (longer.id, longer.expires_at) == (short.id, None)
    assert shorter == longer


async def test_a_suppression_that_ended_makes_room_for_a_new_one(store: Store) -> None:
    suppressions = store.suppressions
    await suppressions.add_suppression(make_suppression(expires_at=NOW - timedelta(hours=1)))
    new = make_suppression(id=SuppressionId("sup_2"), created_at=NOW, evidence={"code": "550 5.1.1"})

    assert await suppressions.add_suppression(new) == new

    assert (await suppressions.list_suppressions(None, None, 10, None)).items == (new,)


async def test_suppressions_are_found_by_channel_and_address_and_lifted_by_id(store: Store) -> None:
    suppressions = store.suppressions
    bounce = await suppressions.add_suppression(make_suppression())
    stop = await suppressions.add_suppression(
        make_suppression(
            id=SuppressionId("sup_2"), channel=Channel.SMS, address="+33612345678", reason=SuppressionReason.STOP
        )
    )

    assert (await suppressions.list_suppressions(Channel.SMS, None, 10, None)).items == (stop,)
    assert (await suppressions.list_suppressions(None, "amina@example.org", 10, None)).items == (bounce,)

    await suppressions.remove_suppression(stop.id, make_lifting(stop.id))

    assert (await suppressions.list_suppressions(None, None, 10, None)).items == (bounce,)
    (kept,) = (await store.audit.list_audit(AuditQuery(), 10, None)).items
    assert kept == make_lifting(stop.id, id=kept.id, data={"channel": "sms", "reason": "stop", "scope": "all"})


def make_item(number: int, channel: Channel = Channel.SMS) -> MailboxItem:
    return MailboxItem(
        delivery_id=DeliveryId(f"dlv_{number}"),
        channel=channel,
        sender="Shop",
        to="+33612345678",
        content={"text": "Grüße 👋", "segments": 1},
        raw=b"\x00\xff" if channel is Channel.EMAIL else None,
        received_at=NOW + timedelta(seconds=number // 2),
    )


async def test_the_mailbox_keeps_one_thing_for_a_delivery(store: Store) -> None:
    mailbox = store.mailbox
    item = make_item(1, Channel.EMAIL)

    assert await mailbox.keep(item)
    assert not await mailbox.keep(make_item(1, Channel.SMS))

    assert await mailbox.get_item(item.delivery_id) == item


async def test_the_mailbox_pages_newest_first_without_losing_or_repeating(store: Store) -> None:
    mailbox = store.mailbox
    for number in range(7):
        await mailbox.keep(make_item(number, Channel.EMAIL if number % 2 else Channel.SMS))

    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await mailbox.list_items(None, 2, cursor)
        seen += [item.delivery_id for item in page.items]
        if (cursor := page.next_cursor) is None:
            break

    assert seen == [f"dlv_{number}" for number in (6, 5, 4, 3, 2, 1, 0)]
    assert [item.delivery_id for item in (await mailbox.list_items(Channel.EMAIL, 9, None)).items] == [
        "dlv_5",
        "dlv_3",
        "dlv_1",
    ]


@given(st.text(max_size=80))
def test_a_cursor_that_is_not_ours_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        read_cursor(text, int, str)


@pytest.mark.parametrize("cursor", [make_cursor(1), make_cursor("a", 1), make_cursor(2**80, "a"), "é", "A" * 600])
def test_a_cursor_of_another_list_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        read_cursor(cursor, int, str)


async def test_a_forged_cursor_finds_nothing_and_breaks_nothing(store: Store) -> None:
    page = await store.mailbox.list_items(None, 5, make_cursor(-(2**62), "dlv_1"))

    assert page.items == ()


async def test_a_recipient_is_kept_whole_and_replaced_whole(store: Store) -> None:
    browser = PushDevice(platform=PushPlatform.WEBPUSH, subscription={"endpoint": "https://push.example.org/1"})
    amina = make_recipient(region="CA-QC", attributes={"name": "أمينة", "visits": 3, "vip": None})

    assert await store.recipients.put_recipient(SERVICE, amina, NOW)
    assert await store.recipients.get_recipient(SERVICE, AMINA) == amina

    moved = Recipient(id=AMINA, push=(browser,))
    assert not await store.recipients.put_recipient(SERVICE, moved, NOW)
    assert await store.recipients.get_recipient(SERVICE, AMINA) == moved


async def test_one_id_means_another_person_for_another_service(store: Store) -> None:
    await store.recipients.put_recipient(SERVICE, make_recipient(), NOW)

    with pytest.raises(NotFound):
        await store.recipients.get_recipient(ServiceId("svc_other"), AMINA)


async def test_a_text_that_is_none_is_refused_and_not_an_accident(store: Store) -> None:
    with pytest.raises(InvalidRequest):
        await store.recipients.put_recipient(SERVICE, make_recipient(attributes={"name": "\ud800"}), NOW)
    with pytest.raises(InvalidRequest):
        await store.recipients.get_recipient(SERVICE, RecipientId("\ud800"))


async def test_of_many_at_once_the_mailbox_keeps_each_delivery_once(store: Store) -> None:
    items = [make_item(number % 5) for number in range(40)]

    new = await asyncio.gather(*map(store.mailbox.keep, items))

    assert sum(new) == 5
    assert len((await store.mailbox.list_items(None, 50, None)).items) == 5


async def test_what_a_person_chose_stays_when_the_service_replaces_the_record(store: Store) -> None:
    chosen: dict[str, JsonValue] = {"frequency_caps": [{"name": "own", "limit": 1, "per": "day"}]}
    await store.readers.choose(make_choice(chosen, recipient_id=AMINA))
    alone = await store.recipients.get_recipient(SERVICE, AMINA)

    is_new = await store.recipients.put_recipient(SERVICE, make_recipient(id=AMINA), NOW)
    replaced = await store.recipients.get_recipient(SERVICE, AMINA)
    await store.readers.choose(make_choice(None, recipient_id=AMINA))

    assert (alone, is_new) == (Recipient(id=AMINA, preferences=chosen), False)
    assert (replaced.email, replaced.preferences) == (make_recipient().email, chosen)
    assert (await store.recipients.get_recipient(SERVICE, AMINA)).preferences is None


async def test_a_choice_is_kept_whole_and_told_once_however_often_it_is_made(store: Store) -> None:
    await store.accepting.accept(new_message(1))
    message = (await store.log.search(MessageQuery())).items[0].message
    denial = make_consent(state=ConsentState.DENIED)
    event = new_event(message, "delivery.unsubscribed")
    choices = [
        make_choice(None, wished=None, lines=(replace(denial, id=ConsentId(f"cns_{number}")),), events=(told,))
        for number, told in enumerate(replace(event, id=EventId(f"evt_{number}")) for number in range(8))
    ]

    await asyncio.gather(*map(store.readers.choose, choices))

    history = await store.consents.consent_history(SERVICE, denial.recipient_id, 10, None)
    events = (await store.log.events(message.id, None, 100, None)).items
    assert [line.state for line in history.items] == [ConsentState.DENIED]
    assert [event.type for event in events].count("delivery.unsubscribed") == 1


async def test_who_leaves_by_address_is_told_of_once(store: Store) -> None:
    await store.accepting.accept(new_message(1))
    message = (await store.log.search(MessageQuery())).items[0].message
    event = new_event(message, "delivery.unsubscribed")

    for number in range(2):
        leaving = make_suppression(id=f"sup_{number}")
        await store.readers.leave([leaving], replace(event, id=EventId(f"evt_{number}")))

    kept = (await store.suppressions.list_suppressions(None, None, 10, None)).items
    events = (await store.log.events(message.id, None, 100, None)).items
    assert [one.id for one in kept] == ["sup_0"]
    assert [event.type for event in events].count("delivery.unsubscribed") == 1
