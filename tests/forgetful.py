"""Far sides that take every message, and lose the answer to the first call for each delivery: one for each kind."""

import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiosmtpd.smtp import Envelope as Mail

from gateway.domain.messages import Envelope, Outcome, SendResult
from gateway.domain.recipients import Channel, EmailAddress, PhoneNumber, PushDevice, PushPlatform, Recipient
from gateway.ports import Capabilities, Provider
from providers.apns import apns_id_of
from providers.conformance.fault_server import FaultServer, Mishap, Reply, Request, open_fault_server
from providers.conformance.http2_server import Http2FaultServer
from tests.certificates import Certificate
from tests.contract import (
    test_apns,
    test_apprise,
    test_fcm,
    test_kannel,
    test_sendgrid,
    test_ses,
    test_twilio,
    test_webpush,
)
from tests.contract.smtp_peer import CUT, smtp_peer
from tests.factories import make_recipient


@dataclass
class FarSide:
    """What reached one kind of provider."""

    takes: Counter[str] = field(default_factory=Counter)
    """How often it took each delivery, by what the kind knows one by."""
    losing: bool = True

    def take(self, key: str) -> bool:
        """It has the message now; whether its answer gets lost."""
        self.takes[key] += 1
        return self.losing and self.takes[key] == 1


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of adapter, with as many accounts at its far side as are asked for."""

    name: str
    channel: Channel
    country: str
    """Where its recipients are, so that the routes tell the kinds apart."""
    far_side: FarSide
    make_to: Callable[[int], Recipient]
    """Somebody whom nobody else is, by number."""
    accounts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By name, as in the settings."""
    key_of: Callable[[str, Recipient], str] = lambda delivery_id, to: delivery_id
    """What the far side knows a delivery by."""
    finds: bool = False
    """Its messages can be looked through."""
    repeats: bool = False
    """A second call sends nothing twice."""

    @property
    def sections(self) -> Mapping[str, Mapping[str, Any]]:
        """What the settings say of its accounts."""
        return {name: section for name, section in self.accounts.items() if section}

    @property
    def route(self) -> Mapping[str, Any]:
        """By weight over all accounts: none of them shall lose so many answers that it is left alone."""
        names = dict.fromkeys(self.accounts, 1)
        return {"channel": self.channel.value, "countries": [self.country], "weights": names}


@asynccontextmanager
async def forgetful_kinds(
    accounts: int, certificate: Certificate
) -> AsyncIterator[tuple[Sequence[Kind], Sequence["ForgetfulMailbox"]]]:
    """All kinds with their far sides; the mailboxes among them are none of the settings'."""
    async with AsyncExitStack() as stack:
        mailbox, boxes = _mailbox(accounts)
        kinds = [
            await stack.enter_async_context(_smtp(accounts)),
            await _served(stack, accounts, _twilio),
            await _served(stack, accounts, _kannel),
            await _served(stack, accounts, _apprise),
            await _served(stack, accounts, _sendgrid),
            await _served(stack, accounts, _ses),
            await _served(stack, accounts, _fcm),
            await _served(stack, accounts, _apns),
            await _served(stack, accounts, lambda far_side: _webpush(far_side, certificate)),
            mailbox,
        ]
        yield kinds, boxes


Parts = tuple[FaultServer, Callable[[str], Mapping[str, Any]], Kind]


async def _served(stack: AsyncExitStack, accounts: int, make: Callable[[FarSide], Parts]) -> Kind:
    """A kind behind an HTTP server, its accounts by what the settings of one are at the server's address."""
    server, section, kind = make(FarSide())
    await stack.enter_async_context(open_fault_server(server))
    named = {f"{kind.name}-{number}": section(server.url) for number in range(accounts)}
    return replace(kind, accounts=named)


def _meeting(
    far_side: FarSide, key_in: Callable[[Request], str], taken: Reply, mishap: Mishap = Mishap.RESET_AFTER_BODY
) -> Callable[[Request], Reply | Mishap]:
    return lambda request: mishap if far_side.take(key_in(request)) else taken


def _mailed(country: str) -> Callable[[int], Recipient]:
    return lambda number: make_recipient(id=None, email=EmailAddress(f"one-{number}@example.org"), country=country)


def _texted(country: str, prefix: str, digits: int) -> Callable[[int], Recipient]:
    return lambda number: make_recipient(id=None, phone=PhoneNumber(f"{prefix}{number:0{digits}}"), country=country)


def _pushed(country: str, make: Callable[[int], PushDevice]) -> Callable[[int], Recipient]:
    return lambda number: make_recipient(id=None, push=(make(number),), country=country)


@asynccontextmanager
async def _smtp(accounts: int) -> AsyncIterator[Kind]:
    far_side = FarSide()

    def meet(mail: Mail) -> str | None:
        found = re.search(rb"Message-ID: <([^@]+)@", mail.original_content or b"")
        assert found is not None
        return CUT if far_side.take(found[1].decode()) else None

    async with smtp_peer() as peer:
        peer.taken = meet
        section = {"kind": "smtp", "host": "127.0.0.1", "port": peer.port, "from": "shop@example.com"}
        yield Kind(
            name="smtp",
            channel=Channel.EMAIL,
            country="FR",
            accounts={f"smtp-{number}": section for number in range(accounts)},
            far_side=far_side,
            make_to=_mailed("FR"),
        )


def _twilio(far_side: FarSide) -> Parts:
    """It lists what it took, and so can be searched."""
    listed: dict[str, list[dict[str, Any]]] = {}
    key_in = test_twilio.TestTwilio().delivery_id_in

    def meet(request: Request) -> Reply | Mishap:
        if request.method == "GET":
            (number,) = parse_qs(urlsplit(request.target).query)["To"]
            return test_twilio.reply(200, messages=listed.get(number, []))
        form, sid = request.form, f"SM{sum(far_side.takes.values()):032}"
        told = test_twilio.listed(
            sid, to=form["To"], body=form["Body"], date_created=format_datetime(datetime.now(UTC)), **{"from": "Shop"}
        )
        listed.setdefault(form["To"], []).insert(0, told)
        lost = far_side.take(key_in(request))
        return Mishap.RESET_AFTER_BODY if lost else test_twilio.reply(201, sid=sid, status="queued")

    def section(url: str) -> Mapping[str, Any]:
        account = {"account_sid": test_twilio.SID, "auth_token": test_twilio.TOKEN, "from": "Shop"}
        return {"kind": "twilio", "base_url": url, **account}

    kind = Kind(
        name="twilio",
        channel=Channel.SMS,
        country="FR",
        far_side=far_side,
        make_to=_texted("FR", "+3361", 7),
        finds=True,
    )
    return FaultServer(meet), section, kind


def _kannel(far_side: FarSide) -> Parts:
    key_in = test_kannel.TestKannel().delivery_id_in
    account = {"username": "shop", "password": test_kannel.PASSWORD, "from": "Shop"}
    kind = Kind(
        name="kannel",
        channel=Channel.SMS,
        country="DE",
        far_side=far_side,
        make_to=_texted("DE", "+49151", 8),
    )
    server = FaultServer(_meeting(far_side, key_in, test_kannel.TAKEN))
    return server, lambda url: {"kind": "kannel", "base_url": url, **account}, kind


def _apprise(far_side: FarSide) -> Parts:
    suite = test_apprise.TestApprise
    kind = Kind(
        name="apprise",
        channel=Channel.SMS,
        country="ES",
        far_side=far_side,
        make_to=_texted("ES", "+3461", 7),
    )

    def section(url: str) -> Mapping[str, Any]:
        place = url.removeprefix("http://")
        query = ":to={to}&:from={sender}&:id={delivery_id}"
        return {"kind": "apprise", "channel": "sms", "from": "Shop", "url": f"json://{place}/notify?{query}"}

    return FaultServer(_meeting(far_side, suite().delivery_id_in, suite.taken)), section, kind


def _sendgrid(far_side: FarSide) -> Parts:
    key_in = test_sendgrid.TestSendGrid().delivery_id_in
    account = {"api_key": test_sendgrid.API_KEY, "from": "shop@example.com"}
    kind = Kind(
        name="sendgrid",
        channel=Channel.EMAIL,
        country="DE",
        far_side=far_side,
        make_to=_mailed("DE"),
    )
    server = FaultServer(_meeting(far_side, key_in, test_sendgrid.TestSendGrid.taken))
    return server, lambda url: {"kind": "sendgrid", "base_url": url, **account}, kind


def _ses(far_side: FarSide) -> Parts:
    key_in = test_ses.TestSes().delivery_id_in
    account = {
        "region": "eu-west-1",
        "access_key_id": test_ses.KEY_ID,
        "secret_access_key": test_ses.SECRET,
        "from": "shop@example.com",
    }
    kind = Kind(
        name="ses",
        channel=Channel.EMAIL,
        country="ES",
        far_side=far_side,
        make_to=_mailed("ES"),
    )
    server = FaultServer(_meeting(far_side, key_in, test_ses.TAKEN))
    return server, lambda url: {"kind": "ses", "base_url": url, **account}, kind


def _fcm(far_side: FarSide) -> Parts:
    suite = test_fcm.TestFcm()
    kind = Kind(
        name="fcm",
        channel=Channel.PUSH,
        country="FR",
        far_side=far_side,
        make_to=_pushed("FR", lambda number: PushDevice(platform=PushPlatform.FCM, token=f"device-{number}")),
    )
    server = FaultServer(_meeting(far_side, suite.delivery_id_in, test_fcm.TAKEN), suite.aside)
    return server, lambda url: {"kind": "fcm", "base_url": url, "service_account": test_fcm.key_file(url)}, kind


def _apns(far_side: FarSide) -> Parts:
    account = {"key": test_apns.PEM, "key_id": "ABC123DEFG", "team_id": "DEF123GHIJ", "topic": "com.example.shop"}
    kind = Kind(
        name="apns",
        channel=Channel.PUSH,
        country="DE",
        far_side=far_side,
        make_to=_pushed("DE", lambda number: PushDevice(platform=PushPlatform.APNS, token=f"{number:064x}")),
        key_of=lambda delivery_id, to: apns_id_of(delivery_id, to.push[0].address),
    )
    # Of many calls on one connection only this one's answer stays away.
    meet = _meeting(far_side, lambda request: request.headers["apns-id"], test_apns.TAKEN, Mishap.HANG)
    return Http2FaultServer(meet), lambda url: {"kind": "apns", "base_url": url, "timeout": "1s", **account}, kind


def _webpush(far_side: FarSide, certificate: Certificate) -> Parts:
    meet = _meeting(far_side, lambda request: request.headers["topic"], test_webpush.TAKEN)
    server = FaultServer(meet, tls=certificate.context)
    account = {
        "vapid_private_key": test_webpush.VAPID_TEXT,
        "subject": "mailto:ops@example.com",
        "ca_file": str(certificate.file),
    }
    kind = Kind(
        name="webpush",
        channel=Channel.PUSH,
        country="IT",
        far_side=far_side,
        make_to=_pushed("IT", lambda number: test_webpush.browser(f"{server.url}/push/{number}")),
    )
    return server, lambda url: {"kind": "webpush", **account}, kind


class ForgetfulMailbox:
    """The mailbox behind somebody who forgets its first answer; it keeps one item for each delivery all the same."""

    capabilities = Capabilities(channels=frozenset(Channel), idempotent=True, concurrency=64, takes_mime=True)
    behind: Provider
    """The gateway's own."""

    def __init__(self, name: str, far_side: FarSide) -> None:
        self.name = name
        self._far_side = far_side

    async def send(self, envelope: Envelope) -> SendResult:
        """Hand it on, and answer or not."""
        result = await self.behind.send(envelope)
        return SendResult(outcome=Outcome.UNKNOWN) if self._far_side.take(envelope.delivery_id) else result

    async def aclose(self) -> None:
        """Nothing is open."""


def _mailbox(accounts: int) -> tuple[Kind, Sequence[ForgetfulMailbox]]:
    far_side = FarSide()
    boxes = [ForgetfulMailbox(f"mailbox-{number}", far_side) for number in range(accounts)]
    kind = Kind(
        name="mailbox",
        channel=Channel.EMAIL,
        country="IT",
        accounts={one.name: {} for one in boxes},
        far_side=far_side,
        make_to=_mailed("IT"),
        repeats=True,
    )
    return kind, boxes
