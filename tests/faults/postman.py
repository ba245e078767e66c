"""SendGrid's API on loopback, in the rig's own process: takes e-mail, and tells signed what became of it."""

import base64
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from providers.mailbox_webhook import sign
from providers.sendgrid import SIGNATURE, TIMESTAMP
from tests.faults.house import GONE, House
from tests.waiting import eventually

NAME: Final = "postman"
_TEXTS: Final = "what texts to the mailbox are signed with"
_PATIENCE_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What the provider took."""

    delivery: str
    attempt: str
    to: str
    at: datetime

    def event(self, kind: str, **members: Any) -> dict[str, Any]:
        """One thing that became of it, always with the same id; a second after what came before."""
        return {
            "event": kind,
            "email": self.to,
            "delivery_id": self.delivery,
            "attempt_id": self.attempt,
            "sg_event_id": f"{self.delivery}-{kind}",
            "sg_message_id": f"{self.delivery}.filter-1",
            "timestamp": int(self.at.timestamp()),
            **members,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One webhook, ready to be posted as often as one likes."""

    headers: Mapping[str, str]
    body: bytes
    provider: str = NAME
    """Whose it is."""


@dataclass(slots=True)
class Postman:
    """The provider under the rig's command."""

    url: str = ""
    letters: dict[str, Letter] = field(default_factory=dict)
    """By delivery, the first of each."""
    calls: Counter[str] = field(default_factory=Counter)
    """How often each delivery was handed over."""
    first: Callable[[Letter], Awaitable[None]] | None = None
    """What happens before it answers."""
    drops: Callable[[], bool] = lambda: False
    """Whether it then answers nothing."""
    key: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()), repr=False)

    @property
    def sections(self) -> dict[str, Any]:
        """Settings: e-mail goes to the postman, everything else to the mailbox."""
        public = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        account = {
            "kind": "sendgrid",
            "api_key": "of-the-rig",
            "base_url": self.url,
            "from": "Rig <rig@example.org>",
            "timeout": "10s",
            "webhook_public_keys": [base64.b64encode(public).decode()],
        }
        elsewhere = [{"channel": channel, "providers": ["mailbox"]} for channel in ("sms", "push")]
        return {
            "providers": {NAME: account, "mailbox": {"kind": "mailbox", "webhook_secret": _TEXTS}},
            "routes": [{"channel": "email", "providers": [NAME]}, *elsewhere],
        }

    def sign(
        self,
        events: Sequence[Mapping[str, Any]],
        *,
        at: datetime | None = None,
        key: EllipticCurvePrivateKey | None = None,
    ) -> Call:
        """A call that tells of these events."""
        body, stamp = json.dumps(events).encode(), str(int((at or datetime.now(UTC)).timestamp()))
        signature = (key or self.key).sign(stamp.encode() + body, ECDSA(SHA256()))
        return Call(headers={SIGNATURE: base64.b64encode(signature).decode(), TIMESTAMP: stamp}, body=body)

    async def _take(self, request: web.Request) -> web.Response:
        message = await request.json()
        named = message["custom_args"]
        letter = Letter(
            delivery=named["delivery_id"],
            attempt=named["attempt_id"],
            to=message["personalizations"][0]["to"][0]["email"],
            at=datetime.now(UTC),
        )
        self.letters.setdefault(letter.delivery, letter)
        self.calls[letter.delivery] += 1
        if self.first is not None:
            await self.first(letter)
        if self.drops() and request.transport is not None:
            request.transport.abort()
        return web.Response(status=202, headers={"X-Message-Id": letter.delivery})


def stop_from(number: str) -> Call:
    """A text to the mailbox that says STOP, always the same one."""
    body = json.dumps({"id": f"stop-{number}", "from": number, "to": "Shop", "text": "STOP"}).encode()
    return Call(headers=sign(_TEXTS, int(time.time()), body), body=body, provider="mailbox")


@asynccontextmanager
async def open_postman() -> AsyncIterator[Postman]:
    """One for as long as the block lasts."""
    postman = Postman()
    app = web.Application()
    app.router.add_post("/v3/mail/send", postman._take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        postman.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield postman
    finally:
        await runner.cleanup()


async def post(house: House, call: Call) -> int | None:
    """Post a webhook once, at any web process that runs; its status, or None where no answer came."""
    running = [member for member in house.webs if member.is_running] or house.webs
    url = f"{random.choice(running).url}/webhooks/{call.provider}"
    headers = {"Content-Type": "application/json", **call.headers}
    try:
        async with house.session.post(url, data=call.body, headers=headers) as response:
            return response.status
    except GONE:
        return None


async def insist(house: House, call: Call) -> None:
    """Post it until it was taken, as providers do: again after no answer and after a 503."""

    async def told() -> bool:
        status = await post(house, call)
        assert status in (204, 503, None), status
        return status == 204

    await eventually(told, bool, _PATIENCE_SECONDS)
