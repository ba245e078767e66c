"""Traffic that was recorded is played again under other rules; nothing of it is changed."""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.bootstrap import open_replay
from gateway.delivery.what_if.comparison import Comparison
from gateway.domain.ids import RecipientId
from gateway.domain.recipients import Channel
from gateway.errors import ConfigurationError
from tests.factories import NOW, make_consent, make_recipient
from tests.fakes import SetClock
from tests.rigs import Rig, make_settings, open_rig
from tests.serving import plain_environment, run_command

MODES = ("embedded", "scaled")
NIGHT = [{"name": "nights", "allow": [{"from": "14:00", "to": "20:00"}]}]
"""NOW is noon; the opening is two hours later."""


def cap(**changes: Any) -> list[dict[str, Any]]:
    return [{"name": "three", "limit": 3, "per": "24h", **changes}]


async def record(rig: Rig, offers: int, people: int = 1) -> None:
    """Offers to people who agreed, an hour apart for each, and as many notes."""
    for person in range(people):
        to = make_recipient(id=RecipientId(f"user-{person}"), timezone="UTC", country=None, phone=None)
        await rig.gateway.recipients.put_recipient(rig.service_id, to, NOW)
        consent = make_consent(id=f"cns_{person}", service_id=rig.service_id, recipient_id=to.id)
        await rig.gateway.consents.add_consents([consent])
    for _ in range(offers):
        for person in range(people):
            to = make_recipient(id=RecipientId(f"user-{person}"), timezone="UTC", country=None, phone=None)
            await rig.send("offer", to=to, channels=(Channel.EMAIL,))
            await rig.send("note", to=to, channels=(Channel.EMAIL,))


async def replay(folder: Path, rules: Mapping[str, object]) -> Comparison:
    settings = make_settings(folder)
    async with open_replay(settings, rules, "new.toml") as replayed:
        return await replayed.run(
            NOW - timedelta(days=1), NOW + timedelta(days=1), lambda _title, _total: lambda _done: None
        )


async def test_what_rules_on_hours_would_hold_is_counted_by_rule_topic_channel_and_locale(tmp_path: Path) -> None:
    async with open_rig(tmp_path, clock=SetClock(), work=False) as rig:
        await record(rig, offers=2, people=3)

        compared = await replay(tmp_path, {"quiet_hours": NIGHT})

    shown = compared.shown()
    assert (compared.deliveries, compared.changed) == (12, 6)
    assert shown["changes"] == {"send->hold": 6}
    assert shown["by"] == {
        "rule": {"nights": {"send->hold": 6}},
        "topic": {"offers": {"send->hold": 6}},
        "channel": {"email": {"send->hold": 6}},
        "locale": {"fr-CA": {"send->hold": 6}},
    }
    assert shown["delay"] == {"before": {"at once": 12}, "after": {"at once": 6, "up to 4h": 6}}


@pytest.mark.parametrize(
    ("over", "changes"),
    [("defer", {"send->hold": 4}), ("drop", {"send->suppress": 4}), ("next_channel", {"send->suppress": 4})],
)
async def test_caps_count_for_each_person_in_the_order_of_time(
    tmp_path: Path, over: str, changes: dict[str, int]
) -> None:
    async with open_rig(tmp_path, clock=SetClock(), work=False) as rig:
        await record(rig, offers=5, people=2)

        compared = await replay(tmp_path, {"frequency_caps": cap(over=over, categories=["marketing"])})

    assert (compared.deliveries, dict(compared.changes)) == (20, changes)


async def test_rules_that_are_in_force_already_change_nothing(tmp_path: Path) -> None:
    async with open_rig(tmp_path, clock=SetClock(), work=False) as rig:
        await record(rig, offers=2)

        compared = await replay(tmp_path, {})

    assert (compared.deliveries, compared.changed) == (4, 0)


async def test_packs_may_be_tried_too(tmp_path: Path) -> None:
    async with open_rig(tmp_path, clock=SetClock(), work=False) as rig:
        to = make_recipient(timezone="Africa/Johannesburg", country="ZA")
        await rig.gateway.recipients.put_recipient(rig.service_id, to, NOW)
        await rig.gateway.consents.add_consents([make_consent(service_id=rig.service_id)])
        await rig.send("offer", to=to, channels=(Channel.EMAIL,))

        compared = await replay(tmp_path, {"policy": {"packs": ["ZA"]}})

    # NOW is a Sunday.
    assert compared.shown()["by"]["rule"] == {"za-direct-marketing": {"send->hold": 1}}  # type: ignore[call-overload, index]


async def test_nothing_is_changed_by_a_replay(tmp_path: Path) -> None:
    async with open_rig(tmp_path, clock=SetClock(), work=False) as rig:
        accepted = await rig.send("note")
        before = await rig.read(accepted)

        await replay(tmp_path, {"quiet_hours": [{**NIGHT[0], "categories": ["transactional"]}]})

        assert await rig.read(accepted) == before
        assert await rig.events(accepted) == ["message.accepted"]


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({"routes": []}, "there is no routes"),
        ({"quiet_hours": [{"name": "x"}]}, "quiet_hours/0/allow"),
        ({"policy": {"packs": ["ZZ"]}}, "there is no pack for ZZ"),
        ({"policy": {"zone": "UTC"}}, "policy.zone"),
    ],
)
async def test_a_file_that_cannot_be_meant_is_refused(tmp_path: Path, rules: dict[str, object], told: str) -> None:
    settings = make_settings(tmp_path)

    with pytest.raises(ConfigurationError) as refused:
        async with open_replay(settings, rules, "new.toml"):
            pass

    assert told in refused.value.message


async def test_the_command_tells_what_would_change(tmp_path: Path) -> None:
    environment = plain_environment(tmp_path, 0)
    rules = tmp_path / "new.toml"
    rules.write_text('[[quiet_hours]]\nname = "n"\nallow = [{from = "09:00", to = "20:00"}]\n', encoding="utf-8")

    told = await run_command("policy", "replay", "--rules", str(rules), "--json", environment=environment)
    bad = await run_command("policy", "replay", "--rules", str(rules), "--since", "soon", environment=environment)

    assert told.status == 0, told.err
    assert json.loads(told.out)["changed"] == 0
    assert (bad.status, bad.out) == (2, "")
