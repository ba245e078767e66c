"""What people say over HTTP: double opt-in, the state of a past instant, what other systems know, and who said so."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from gateway.delivery.people.confirmation import Standing
from gateway.delivery.people.ledger import verify
from gateway.domain.audit import AuditAction
from gateway.domain.ids import DeliveryId
from gateway.errors import NotFound
from gateway.ports import AuditQuery
from tests.fakes import SetClock
from tests.http import ALL_SCOPES, Caller, Site, open_site, settled
from tests.modes import Mode

MODES = ("embedded", "scaled")

pytestmark = pytest.mark.asyncio(loop_scope="module")

PERSON = "/v1/recipients/user-42"
CONSENTS = f"{PERSON}/consents"
PENDING = {"channel": "email", "topic": "newsletter", "state": "pending", "source": "signup-form"}
FORM = frozenset({"send", "read", "recipients"})
"""The scopes of a key of a sign-up form: it sees its own messages only."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def working(mode: Mode, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A gateway that accepts and delivers."""
    with mode.furnished(tmp_path_factory.mktemp("working")) as folder:
        async with open_site(folder, work=True) as opened:
            yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def caller(working: Site, service: str) -> Caller:
    return await working.caller(service, FORM)


async def ask(caller: Caller, **changes: Any) -> Any:
    return await caller.put(CONSENTS, {"consents": [{**PENDING, **changes}]})


async def asking(caller: Caller) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = (await caller.get("/v1/messages", template="double-opt-in")).body["items"]
    return listed


async def token_of(working: Site, caller: Caller) -> tuple[str, Any]:
    """The token in the one message that asks, and what the mailbox was given."""
    (message,) = await asking(caller)
    sent = await settled(caller, message["id"])
    item = await working.gateway.mailbox.get_item(DeliveryId(sent["deliveries"][0]["id"]))
    found = re.search(r"/u/(cns_[\w.-]+)", str(item.content["text"]))
    assert found
    return found.group(1), item


async def test_a_person_is_asked_in_their_language_and_their_click_grants(working: Site, caller: Caller) -> None:
    await caller.put(PERSON, {"email": "amina@example.org", "locale": "fr"})

    pending = await ask(caller, wording="Yes, the newsletter please", wording_version="3", locale="fr")
    token, item = await token_of(working, caller)
    confirmation = working.gateway.confirmation
    looked = await confirmation.look(token)
    still = await caller.get(CONSENTS)
    confirmed = await asyncio.gather(*(confirmation.confirm(token, {"user_agent": "x"}) for _ in range(4)))

    assert pending.status == 200
    assert pending.body["items"][0]["state"] == "pending"
    assert "Confirmez votre abonnement" in item.content["subject"]
    assert looked.standing is Standing.WAITING
    assert still.body == pending.body
    assert {one.standing for one in confirmed} == {Standing.CONFIRMED}
    history = (await caller.get(f"{CONSENTS}/history")).body["items"]
    assert [line["state"] for line in history] == ["granted", "pending"]
    grant, request = history
    assert (grant["requested_at"], grant["confirmed_at"], grant["actor"]) == (request["at"], grant["at"], "recipient")
    assert (grant["wording"], grant["wording_version"], grant["locale"]) == ("Yes, the newsletter please", "3", "fr")
    assert grant["evidence"]["pending"] == request["id"]
    assert grant["evidence"]["confirmation_message"] == (await asking(caller))[0]["id"]
    assert request["actor"].startswith("key:key_")


async def test_the_link_is_nobody_elses_to_read(working: Site, caller: Caller) -> None:
    await caller.put(PERSON, {"email": "amina@example.org"})
    await ask(caller)

    token, _ = await token_of(working, caller)

    (message,) = await asking(caller)
    assert token not in str((await caller.get(f"/v1/messages/{message['id']}")).body)
    assert "amina" not in token
    for forged in (token[:-1] + ("A" if token[-1] != "A" else "B"), token.replace("cns_", "cns_0"), "cns_1.x", ""):
        with pytest.raises(NotFound):
            await working.gateway.confirmation.confirm(forged, {})


async def test_a_pending_contact_gets_nothing_else_of_the_topic(working: Site, caller: Caller) -> None:
    await caller.put(PERSON, {"email": "amina@example.org"})
    templates = (await caller.get("/v1/templates")).body["items"]
    digest = next(one for one in templates if one["category"] == "marketing" and "email" in one["channels"])
    sample = next(iter((await caller.get(f"/v1/templates/{digest['name']}")).body["samples"].values()))
    offer = {"template": digest["name"], "channels": ["email"], "to": {"id": "user-42"}, "data": sample}
    await ask(caller, topic=digest["topic"])

    refused = await caller.post("/v1/messages", offer)
    held = await settled(caller, refused.body["id"])

    assert refused.status == 202, refused.body
    assert (held["status"], held["deliveries"][0]["reason"]) == ("suppressed", "consent_pending")


async def test_the_same_asked_over_and_over_sends_one_message(caller: Caller) -> None:
    await caller.put(PERSON, {"email": "amina@example.org"})

    answers = await asyncio.gather(*(ask(caller) for _ in range(5)))

    assert {answer.status for answer in answers} == {200}
    assert len(await asking(caller)) == 1


@pytest.mark.parametrize(
    ("kept", "changes", "pointer", "code"),
    [
        (None, {}, "/consents/0/state", "unknown_recipient"),
        ({"phone": "+33612345678"}, {}, "/consents/0/channel", "no_address"),
        ({"push": [{"platform": "fcm", "token": "t"}]}, {"channel": "push"}, "/consents/0/channel", "cannot_ask"),
    ],
)
async def test_who_cannot_be_asked_is_not_pending(
    caller: Caller, kept: dict[str, Any] | None, changes: dict[str, Any], pointer: str, code: str
) -> None:
    if kept is not None:
        await caller.put(PERSON, kept)

    refused = await ask(caller, **changes)

    assert refused.status == 422
    assert [(error["pointer"], error["code"]) for error in refused.body["errors"]] == [(pointer, code)]
    assert (await caller.get(f"{CONSENTS}/history")).body.get("items", []) == []


async def test_a_link_that_is_too_old_or_was_taken_back_says_so(mode: Mode, tmp_path_factory: Any) -> None:
    clock = SetClock()
    with mode.furnished(tmp_path_factory.mktemp("aged")) as folder:
        async with open_site(folder, clock=clock) as site:
            caller = await site.caller("shop", ALL_SCOPES)
            await caller.put(PERSON, {"email": "amina@example.org"})
            await ask(caller)
            await ask(caller, topic="offers")
            lines = (await caller.get(CONSENTS)).body["items"]
            links = site.gateway.confirmation_links
            first, second = (links.token(line["id"]) for line in lines)
            clock.advance(timedelta(days=1).total_seconds())
            await caller.put(CONSENTS, {"consents": [{**PENDING, "topic": "offers", "state": "denied"}]})
            clock.advance(timedelta(days=6).total_seconds())

            by_topic = {line["topic"]: token for line, token in zip(lines, (first, second), strict=True)}
            expired = await site.gateway.confirmation.confirm(by_topic["newsletter"], {})
            withdrawn = await site.gateway.confirmation.confirm(by_topic["offers"], {})
            await ask(caller)
            again = await site.gateway.confirmation.confirm(by_topic["newsletter"], {})

            assert expired.standing is Standing.EXPIRED
            assert withdrawn.standing is Standing.WITHDRAWN
            assert again.standing is Standing.EXPIRED
            states = {line["topic"]: line["state"] for line in (await caller.get(CONSENTS)).body["items"]}
            assert states == {"newsletter": "pending", "offers": "denied"}


async def test_the_state_of_a_past_instant_can_be_read(caller: Caller) -> None:
    def said(state: str, at: str) -> dict[str, Any]:
        return {"consents": [{"channel": "sms", "topic": "offers", "state": state, "source": "form", "at": at}]}

    await caller.put(CONSENTS, said("granted", "2026-01-05T00:00:00Z"))
    await caller.put(CONSENTS, said("denied", "2026-03-01T00:00:00Z"))

    async def states(**when: str) -> list[str]:
        return [line["state"] for line in (await caller.get(CONSENTS, **when)).body["items"]]

    assert await states(at="2026-01-01T00:00:00Z") == []
    assert await states(at="2026-02-01T00:00:00Z") == ["granted"]
    assert await states(at="2026-03-01T00:00:00Z") == ["denied"]
    assert await states(at="2026-02-01T00:00:00Z", known_at="2026-02-01T00:00:00Z") == []
    assert await states() == ["denied"]
    assert (await caller.get(CONSENTS, at="yesterday")).status == 422


async def test_what_another_system_knows_is_taken_over_once(working: Site, caller: Caller) -> None:
    grant = {
        "id": "u1",
        "channel": "email",
        "topic": "offers",
        "state": "granted",
        "source": "old",
        "at": "2025-01-01T00:00:00Z",
    }
    items: list[Any] = [
        {**grant, "evidence": {"ip": "192.0.2.1", "score": 1.0}},
        {**grant, "id": "u2", "source": ""},
        {name: value for name, value in grant.items() if name != "at"},
        {**grant, "state": "pending"},
        {"id": "u3", "channel": "email", "topic": "offers", "state": "denied"},
        {**grant, "locale": "qq-ZZ"},
        "nothing",
        {**grant, "evidence": {"ip": "192.0.2.1", "score": 1.0}},
    ]

    first = await caller.post("/v1/consents/batch", {"consents": items})
    again = await caller.post("/v1/consents/batch", {"consents": items})

    assert first.status == 200, first.body
    told = [(one["status"], [error["pointer"] for error in one.get("errors", [])]) for one in first.body["items"]]
    assert told == [
        ("added", []),
        ("refused", ["/source"]),
        ("refused", ["/at"]),
        ("refused", ["/state"]),
        ("added", []),
        ("refused", ["/locale"]),
        ("refused", [""]),
        ("stood", []),
    ]
    assert [one["status"] for one in again.body["items"]] == [
        "stood" if status == "added" else status for status, _ in told
    ]
    denied = (await caller.get("/v1/recipients/u3/consents")).body["items"]
    assert [line["source"] for line in denied] == ["import"]
    store = working.gateway.store
    assert (
        await verify(store.ledger, store.audit, store.pseudonyms.of_person, (), lambda _done, _all: None)
    ).findings == ()


async def test_what_an_operator_says_in_a_persons_stead_is_audited(working: Site, caller: Caller, service: str) -> None:
    ops = await working.caller(service, ALL_SCOPES)
    line = {"consents": [{**PENDING, "state": "denied"}]}

    await caller.put(CONSENTS, line)
    await ops.put(CONSENTS, line)

    entries = (await working.gateway.store.audit.list_audit(AuditQuery(action=AuditAction.CONSENT), 50, None)).items
    owner = await working.gateway.services.find_service(service)
    mine = [entry for entry in entries if entry.service_id == owner.id]
    person = working.gateway.store.pseudonyms.of_person(owner.id, "user-42")
    assert [(entry.subject, entry.data["state"]) for entry in mine] == [(person, "denied")]
    assert "user-42" not in str(mine)
