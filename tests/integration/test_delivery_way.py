"""The way of a message on the real store: accepted, decided, rendered, sent, recorded."""

from datetime import timedelta
from pathlib import Path

import pytest

from gateway.domain.audit import AuditAction, By, of_key
from gateway.domain.encoding import decode
from gateway.domain.ids import KeyId
from gateway.domain.lifecycle import DeliveryStatus, Strategy
from gateway.domain.messages import EmailContent, Outcome, SendResult, SmsContent
from gateway.domain.preferences import SuppressionReason
from gateway.domain.recipients import Channel
from gateway.errors import Conflict
from gateway.ports import AuditQuery
from tests.factories import make_consent, make_recipient
from tests.fakes import ScriptedProvider
from tests.rigs import open_rig, routes_to

MODES = ("embedded", "scaled")
S = DeliveryStatus
LOST = SendResult(outcome=Outcome.UNKNOWN)
SENT = SendResult(outcome=Outcome.SENT, provider_message_id="their-id")
LATER = SendResult(outcome=Outcome.TRANSIENT, code="451")


def _by(reason: str | None) -> By:
    return By(actor=of_key(KeyId("key_ops")), reason=reason)


async def test_an_email_ends_delivered_and_lies_in_the_mailbox(tmp_path: Path) -> None:
    async with open_rig(tmp_path) as rig:
        accepted = await rig.send(channels=(Channel.EMAIL,))

        record = await rig.settled(accepted)

        (delivery,) = record.deliveries
        assert (record.status, delivery.delivery.provider) == (S.DELIVERED, "mailbox")
        assert isinstance(delivery.content, EmailContent)
        assert delivery.content.subject == "A note"
        assert len(delivery.attempts) == 1
        item = await rig.gateway.mailbox.get_item(delivery.delivery.id)
        assert item.to == "amina@example.org"
        assert await rig.events(accepted) == ["message.accepted", "delivery.sending", "delivery.delivered"]


async def test_first_tries_the_next_channel_only_when_one_is_refused(tmp_path: Path) -> None:
    async with open_rig(tmp_path) as rig:
        accepted = await rig.send(to=make_recipient(email=None))

        record = await rig.settled(accepted, S.DELIVERED)

        outcomes = [(one.delivery.channel, one.delivery.status, one.delivery.reason) for one in record.deliveries]
        assert outcomes == [(Channel.EMAIL, S.SUPPRESSED, "no_address"), (Channel.SMS, S.DELIVERED, None)]


async def test_all_sends_on_each_channel(tmp_path: Path) -> None:
    async with open_rig(tmp_path) as rig:
        accepted = await rig.send(strategy=Strategy.ALL)

        record = await rig.settled(accepted)

        assert record.status is S.DELIVERED
        assert {one.delivery.channel for one in record.deliveries} == set(Channel)


async def test_a_secret_is_sent_but_neither_shown_nor_kept(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted")
    async with open_rig(tmp_path, further=[provider], routes=routes_to("scripted")) as rig:
        accepted = await rig.send("code")

        record = await rig.settled(accepted, S.SENT)

        sent, shown = provider.envelopes[0].content, record.deliveries[0].content
        assert isinstance(sent, SmsContent)
        assert sent.text == "Your code is 908172"
        assert isinstance(shown, SmsContent)
        assert shown.text == "Your code is ••••"
        assert "908172" not in repr(record)
        assert record.message.secrets == {}


async def test_what_was_not_taken_is_tried_again_until_it_is(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted", LATER, LATER, SENT)
    async with open_rig(tmp_path, further=[provider], routes=routes_to("scripted")) as rig:
        accepted = await rig.send()

        record = await rig.settled(accepted, S.SENT)

        (delivery,) = record.deliveries
        assert [attempt.number for attempt in delivery.attempts] == [1, 2, 3]
        assert delivery.delivery.provider_message_id == "their-id"
        assert len({envelope.message_id_header for envelope in provider.envelopes}) == 1


async def test_spent_retries_fail_the_channel_and_the_next_one_is_tried(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted", LATER, LATER, SENT)
    async with open_rig(tmp_path, further=[provider], routes=routes_to("scripted"), delivery={"attempts": 2}) as rig:
        accepted = await rig.send(channels=(Channel.EMAIL, Channel.SMS))

        record = await rig.settled(accepted, S.SENT)

        outcomes = [(one.delivery.channel, one.delivery.status, one.delivery.reason) for one in record.deliveries]
        assert outcomes == [(Channel.EMAIL, S.FAILED, "retries_spent"), (Channel.SMS, S.SENT, None)]


async def test_a_misconfigured_provider_hands_over_to_the_next(tmp_path: Path) -> None:
    first = ScriptedProvider("first", SendResult(outcome=Outcome.MISCONFIGURED, code="535"))
    second = ScriptedProvider("second")
    async with open_rig(tmp_path, further=[first, second], routes=routes_to("first", "second")) as rig:
        for _ in range(3):
            await rig.settled(await rig.send(), S.SENT)

        assert (len(first.envelopes), len(second.envelopes)) == (1, 3)


async def test_a_lost_answer_is_not_followed_by_a_second_call(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted", LOST, SENT)
    async with open_rig(tmp_path, further=[provider], routes=routes_to("scripted")) as rig:
        accepted = await rig.send()

        record = await rig.settled(accepted, S.UNKNOWN)
        await rig.settled(await rig.send(), S.SENT)

        assert len(record.deliveries) == 1
        assert len({envelope.delivery_id for envelope in provider.envelopes}) == 2


async def test_after_a_lost_answer_only_the_provider_that_repeats_nothing_is_asked_again(tmp_path: Path) -> None:
    lost, throttled = SendResult(outcome=Outcome.UNKNOWN), SendResult(outcome=Outcome.THROTTLED)
    first = ScriptedProvider("first", lost, throttled, SendResult(outcome=Outcome.SENT), idempotent=True)
    second = ScriptedProvider("second")
    async with open_rig(tmp_path, further=[first, second], routes=routes_to("first", "second")) as rig:
        record = await rig.settled(await rig.send(channels=(Channel.EMAIL,)), S.SENT)

        assert [attempt.provider for attempt in record.deliveries[0].attempts] == ["first", "first", "first"]
        assert second.envelopes == []


async def test_a_lost_answer_is_sent_again_where_the_category_says_so(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted", LOST, SENT)
    async with open_rig(
        tmp_path,
        further=[provider],
        routes=routes_to("scripted"),
        delivery={"on_unknown": {"critical": "resend"}},
    ) as rig:
        accepted = await rig.send("code")

        record = await rig.settled(accepted, S.SENT)

        texts = [envelope.content for envelope in provider.envelopes]
        assert texts[0] == texts[1]
        assert [attempt.number for attempt in record.deliveries[0].attempts] == [1, 2]


async def test_a_bad_address_is_suppressed_from_then_on(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted", SendResult(outcome=Outcome.INVALID_RECIPIENT, code="550 5.1.1"))
    async with open_rig(tmp_path, further=[provider], routes=routes_to("scripted")) as rig:
        failed = await rig.settled(await rig.send(channels=(Channel.EMAIL,)))
        again = await rig.settled(await rig.send(channels=(Channel.EMAIL,)))

        assert (failed.status, again.status) == (S.FAILED, S.SUPPRESSED)
        assert len(provider.envelopes) == 1
        (kept,) = (await rig.gateway.suppressions.list_suppressions(Channel.EMAIL, None, 10, None)).items
        assert (kept.reason, kept.address) == (SuppressionReason.BOUNCE, "amina@example.org")


async def test_marketing_waits_for_a_grant_and_one_click_ends_it(tmp_path: Path) -> None:
    async with open_rig(tmp_path) as rig:
        grant = make_consent(service_id=rig.service_id)
        before = await rig.settled(await rig.send("offer", channels=(Channel.EMAIL,)))
        await rig.gateway.consents.add_consents([grant])

        granted = await rig.settled(await rig.send("offer", channels=(Channel.EMAIL,)))
        token = rig.gateway.links.token(granted.deliveries[0].delivery.id)
        await rig.gateway.unsubscriber.one_click(token, {"ip": "192.0.2.1"})
        await rig.gateway.unsubscriber.one_click(token, {"ip": "192.0.2.1"})
        after = await rig.settled(await rig.send("offer", channels=(Channel.EMAIL,)))

        assert (before.status, granted.status, after.status) == (S.SUPPRESSED, S.DELIVERED, S.SUPPRESSED)
        content = granted.deliveries[0].content
        assert isinstance(content, EmailContent)
        assert dict(content.headers)["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert token in dict(content.headers)["List-Unsubscribe"]
        assert grant.recipient_id is not None
        history = await rig.gateway.consents.consent_history(rig.service_id, grant.recipient_id, 10, None)
        assert [line.source for line in history.items] == ["one-click", "signup-form"]


async def test_a_test_key_reaches_the_mailbox_whatever_the_routes_say(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted")
    async with open_rig(tmp_path, further=[provider], routes=routes_to("scripted")) as rig:
        record = await rig.settled(await rig.send(live=False))

        assert record.deliveries[0].delivery.provider == "mailbox"
        assert provider.envelopes == []


async def test_a_scheduled_message_can_be_cancelled_and_a_sent_one_cannot(tmp_path: Path) -> None:
    async with open_rig(tmp_path) as rig:
        now = rig.gateway.clock.now()
        later = await rig.send(send_at=now + timedelta(hours=1))
        sent = await rig.settled(await rig.send())

        cancelled = await rig.gateway.steering.cancel(later.message_id, rig.service_id, _by("sold out"))
        with pytest.raises(Conflict) as refused:
            await rig.gateway.steering.cancel(sent.message.id, rig.service_id, _by(None))

        assert decode(later.answer)["status"] == "scheduled"
        assert cancelled.status is S.CANCELLED
        assert refused.value.conflict_code == "too_late"
        (entry,) = (await rig.gateway.store.audit.list_audit(AuditQuery(), 10, None)).items
        assert (entry.action, entry.subject) == (AuditAction.CANCEL, later.message_id)
        assert (entry.actor, entry.reason) == ("key:key_ops", "sold out")


async def test_a_message_goes_at_the_instant_that_the_caller_chose(tmp_path: Path) -> None:
    async with open_rig(tmp_path) as rig:
        send_at = rig.gateway.clock.now() + timedelta(milliseconds=300)

        record = await rig.settled(await rig.send(send_at=send_at))

        assert record.deliveries[0].attempts[0].started_at >= send_at


async def test_a_failed_message_is_tried_again_by_hand_with_who_and_why(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted", SendResult(outcome=Outcome.REJECTED, code="554"), SENT)
    async with open_rig(tmp_path, further=[provider], routes=routes_to("scripted")) as rig:
        accepted = await rig.send(channels=(Channel.EMAIL,))
        failed = await rig.settled(accepted)

        await rig.gateway.steering.retry(failed.message.id, None, _by("relay was wrong"))
        record = await rig.settled(accepted, S.SENT)

        assert failed.status is S.FAILED
        assert len(record.deliveries) == 2
        page = await rig.gateway.log.events(failed.message.id, None, 50, None)
        told = next(event.data for event in page.items if event.data.get("by") == "key:key_ops")
        assert told["reason"] == "relay was wrong"
        query = AuditQuery(subject=failed.message.id, actor=of_key(KeyId("key_ops")), action=AuditAction.RETRY)
        (entry,) = (await rig.gateway.store.audit.list_audit(query, 10, None)).items
        assert entry.reason == "relay was wrong"
        assert entry.data == {"channel": "email"}


async def test_a_message_that_expires_while_it_waits_is_never_sent(tmp_path: Path) -> None:
    provider = ScriptedProvider("scripted", SendResult(outcome=Outcome.THROTTLED, retry_after_seconds=0.2))
    async with open_rig(tmp_path, further=[provider], routes=routes_to("scripted")) as rig:
        expires_at = rig.gateway.clock.now() + timedelta(milliseconds=500)

        record = await rig.settled(await rig.send(expires_at=expires_at))

        assert record.status is S.EXPIRED
        assert all(attempt.started_at < expires_at for attempt in record.deliveries[0].attempts)
