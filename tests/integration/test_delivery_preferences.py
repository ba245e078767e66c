"""What the links in messages do: leave with one click, choose anew, and never by reading."""

from pathlib import Path
from typing import Any

import pytest

from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.preferences import ConsentState
from gateway.domain.recipients import Channel
from gateway.errors import NotFound
from tests.factories import make_consent, make_recipient
from tests.rigs import Rig, open_rig

MODES = ("embedded", "scaled")

S = DeliveryStatus
OFFERS = (Channel.EMAIL, "offers")


async def _token(rig: Rig, **changes: Any) -> str:
    record = await rig.settled(await rig.send(channels=(Channel.EMAIL,), **changes))
    return rig.gateway.links.token(record.deliveries[0].delivery.id)


async def test_reading_the_preferences_changes_nothing(tmp_path: Path) -> None:
    async with open_rig(tmp_path) as rig:
        grant = make_consent(service_id=rig.service_id)
        await rig.gateway.consents.add_consents([grant])
        token = await _token(rig)

        seen = [await rig.gateway.unsubscriber.preferences(token) for _ in range(3)]

        states = {(choice.channel, choice.topic): choice.state for choice in seen[-1].choices}
        assert states[OFFERS] is ConsentState.GRANTED
        assert states[Channel.SMS, "offers"] is None
        history = await rig.gateway.consents.consent_history(rig.service_id, grant.recipient_id, 10, None)
        assert len(history.items) == 1


async def test_choices_leave_lines_with_source_wording_and_evidence(tmp_path: Path) -> None:
    async with open_rig(tmp_path) as rig:
        token = await _token(rig)
        recipient_id = make_recipient().id
        assert recipient_id is not None

        for _ in range(2):
            await rig.gateway.unsubscriber.choose(
                token,
                {OFFERS: True, (Channel.SMS, "offers"): False},
                {"ip": "192.0.2.1"},
                wording="Offers by e-mail",
                locale="en",
            )
        granted = await rig.settled(await rig.send("offer", channels=(Channel.EMAIL,)))
        after = await rig.gateway.unsubscriber.choose(token, {OFFERS: False}, {})

        history = await rig.gateway.consents.consent_history(rig.service_id, recipient_id, 10, None)
        assert granted.status is S.DELIVERED
        assert [line.state for line in history.items] == [ConsentState.DENIED, ConsentState.GRANTED]
        first = history.items[-1]
        assert (first.source, first.wording, first.locale) == ("preference-centre", "Offers by e-mail", "en")
        assert first.evidence is not None
        assert first.evidence["ip"] == "192.0.2.1"
        assert {(one.channel, one.topic): one.state for one in after.choices}[OFFERS] is ConsentState.DENIED


async def test_a_person_without_an_id_leaves_by_address(tmp_path: Path) -> None:
    async with open_rig(tmp_path) as rig:
        nameless = make_recipient(id=None)
        token = await _token(rig, to=nameless)

        await rig.gateway.unsubscriber.one_click(token, {})
        await rig.gateway.unsubscriber.choose(token, {OFFERS: False}, {})
        after = await rig.settled(await rig.send(channels=(Channel.EMAIL,), to=nameless))

        assert after.status is S.SUPPRESSED
        (kept,) = (await rig.gateway.suppressions.list_suppressions(None, None, 10, None)).items
        assert kept.scope == "topic:notes"


@pytest.mark.parametrize("token", ["", "x", "dlv_1.AAAA", "../../etc/passwd", "é.é"])
async def test_a_token_that_is_not_ours_opens_nothing(tmp_path: Path, token: str) -> None:
    async with open_rig(tmp_path, work=False) as rig:
        with pytest.raises(NotFound):
            await rig.gateway.unsubscriber.preferences(token)
        with pytest.raises(NotFound):
            await rig.gateway.unsubscriber.one_click(token, {})
