"""A real Postfix between the gateway and the world: what it reports comes back and moves the deliveries."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiosmtpd.smtp import SMTP, Envelope, Session

from gateway.delivery.accepting.accept import Accepted
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.recipients import Channel
from gateway.ports import MessageRecord
from providers.smtp_listener import Manners, Offering, SmtpListener
from tests.dkim_oracle import verified
from tests.factories import make_recipient
from tests.peers.postfix import Postfix, running_postfix
from tests.rigs import Rig, open_rig
from tests.servers import free_port
from tests.unit.providers.test_dkim import KEYS, published
from tests.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")
S = DeliveryStatus
DOMAIN = "bounces.test"
REFUSALS = {
    "gone": "550 5.1.1 No such user here",
    "policy": "550 5.7.1 Not from you",
    "full": "552 5.2.2 Mailbox full",
    "busy": "451 4.2.1 Come again later",
}
PATIENCE_SECONDS = 40.0
House = tuple[Rig, Postfix]


class Remote(Offering):
    """A server elsewhere, which gives no reports and refuses by local part."""

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := REFUSALS.get(address.partition("@")[0]):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        return "250 2.0.0 Ok"


def sections(port: int) -> dict[str, Any]:
    keys = {key.selector: {"domain": key.domain, "selector": key.selector, "key": key.pem} for key in KEYS}
    relay = {
        "kind": "smtp",
        "host": "127.0.0.1",
        "port": port,
        "from": "shop@example.com",
        "bounce_domain": DOMAIN,
        "bounce_listen": "127.0.0.1:0",
        "dkim": keys,
    }
    return {"providers": {"relay": relay}, "routes": [{"channel": "email", "providers": ["relay"]}]}


@contextmanager
def postfix_before(rig: Rig, port: int, remote: int) -> Iterator[Postfix]:
    transports = {
        "remote.test": f"smtp:[127.0.0.1]:{remote}",
        "dead.test": f"smtp:[127.0.0.1]:{free_port()}",
        DOMAIN: f"smtp:[127.0.0.1]:{rig.gateway.bounce_addresses[0][1]}",
    }
    aliases = {"team@good.test": "ok@good.test gone@remote.test policy@remote.test"}
    with running_postfix(port, transports=transports, aliases=aliases) as postfix:
        yield postfix


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A gateway, its relay, and a server beyond."""
    manners = Manners(hostname="remote.test", ident="remote", most_bytes=10**6, most_connections=50, idle_seconds=60.0)
    remote, port = SmtpListener(Remote(), manners, host="127.0.0.1", port=0), free_port()
    await remote.start()
    async with open_rig(tmp_path_factory.mktemp("house"), **sections(port)) as rig:
        with postfix_before(rig, port, remote.address[1]) as postfix:
            yield rig, postfix
    await remote.aclose()


PEOPLE = (
    "ok@good.test",
    "there@remote.test",
    *(f"{local}@remote.test" for local in REFUSALS),
    "someone@dead.test",
    "team@good.test",
    "missing@good.test",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def posted(house: House) -> Mapping[str, Accepted]:
    """An e-mail to each, all at once: what Postfix gives up it keeps for its quarter of a minute."""
    rig = house[0]
    return {to: await rig.send(to=make_recipient(email=to), channels=(Channel.EMAIL,)) for to in PEOPLE}


async def told(rig: Rig, accepted: Accepted) -> list[tuple[str, str, object]]:
    """What reports said, in the timeline: the event, their word and their code."""
    page = await rig.gateway.log.events(accepted.message_id, None, 100, None)
    return [(one.type, str(one.data["told"]), one.data.get("code")) for one in page.items if "told" in one.data]


async def is_suppressed(rig: Rig, address: str) -> bool:
    return bool((await rig.gateway.suppressions.list_suppressions(Channel.EMAIL, address, 1, None)).items)


def fate(record: MessageRecord) -> tuple[DeliveryStatus, str | None]:
    delivery = record.deliveries[0].delivery
    return delivery.status, delivery.reason


async def test_what_arrived_is_delivered_and_its_signatures_hold(house: House, posted: Mapping[str, Accepted]) -> None:
    rig, postfix = house

    record = await rig.settled(posted["ok@good.test"], S.DELIVERED)

    assert fate(record) == (S.DELIVERED, None)
    assert await told(rig, posted["ok@good.test"]) == [("delivery.delivered", "delivered", "2.0.0")]
    assert verified(arrived(postfix.box), published) == [True, True]


async def test_what_was_relayed_to_a_server_without_reports_stays_sent(
    house: House, posted: Mapping[str, Accepted]
) -> None:
    rig, accepted = house[0], posted["there@remote.test"]

    words = await eventually(lambda: told(rig, accepted), bool, PATIENCE_SECONDS)

    assert words == [("delivery.receipt", "relayed", "2.0.0")]
    assert fate(await rig.read(accepted)) == (S.SENT, None)


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ("gone@remote.test", ("5.1.1", "bounced", True)),
        ("policy@remote.test", ("5.7.1", "bounced", False)),
        ("full@remote.test", ("5.2.2", "not_delivered", False)),
    ],
)
async def test_what_was_refused_beyond_the_relay_bounces_and_condemns_where_the_address_is_at_fault(
    house: House, posted: Mapping[str, Accepted], to: str, expected: tuple[str, str, bool]
) -> None:
    rig, (code, reason, suppressed) = house[0], expected

    record = await eventually(lambda: rig.read(posted[to]), lambda seen: seen.status is not S.SENT, PATIENCE_SECONDS)

    assert fate(record) == (S.UNDELIVERED, reason)
    assert await told(rig, posted[to]) == [("delivery.undelivered", "failed", code)]
    assert await is_suppressed(rig, to) is suppressed


@pytest.mark.parametrize(("to", "code"), [("busy@remote.test", "4.2.1"), ("someone@dead.test", "4.4.1")])
async def test_what_is_delayed_is_said_and_what_expires_at_the_relay_condemns_nobody(
    house: House, posted: Mapping[str, Accepted], to: str, code: str
) -> None:
    rig = house[0]

    words = await eventually(lambda: told(rig, posted[to]), lambda seen: len(seen) == 2, PATIENCE_SECONDS)

    assert words == [("delivery.receipt", "delayed", code), ("delivery.undelivered", "failed", code)]
    assert fate(await rig.read(posted[to])) == (S.UNDELIVERED, "not_delivered")
    assert not await is_suppressed(rig, to)


async def test_a_report_on_several_members_of_an_alias_is_taken_apart_and_condemns_none(
    house: House, posted: Mapping[str, Accepted]
) -> None:
    rig, accepted = house[0], posted["team@good.test"]

    words = await eventually(lambda: told(rig, accepted), lambda seen: len(seen) == 3, PATIENCE_SECONDS)

    assert sorted(word for _, word, _ in words) == ["expanded", "failed", "failed"]
    assert fate(await rig.read(accepted)) == (S.UNDELIVERED, "bounced")
    assert not await is_suppressed(rig, "team@good.test")


async def test_what_the_relay_itself_refuses_fails_at_once(house: House, posted: Mapping[str, Accepted]) -> None:
    rig, accepted = house[0], posted["missing@good.test"]

    record = await rig.settled(accepted, S.FAILED)

    assert await told(rig, accepted) == []
    assert fate(record)[0] is S.FAILED
    assert await is_suppressed(rig, "missing@good.test")


def arrived(box: Path) -> bytes:
    """The first mail of an mbox file, without what Postfix put before it."""
    lines = box.read_bytes().split(b"\n\nFrom ")[0].replace(b"\n", b"\r\n")
    return lines[lines.index(b"DKIM-Signature:") :]
