"""`/webhooks/{provider}`: what providers tell us. Nothing is read of a call before its signature was checked.

They post; some can only get (Kannel), and sign the address: a link scanner never has one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web

from gateway.delivery.people.inbound import InboundDesk
from gateway.delivery.tracking.receipts import Tracker
from gateway.domain.inbound import Inbound
from gateway.domain.receipts import Receipt
from gateway.errors import NotFound
from gateway.ports import Clock, Confirming, WebhookReceiver, WebhookRequest
from gateway.web.body import arrived
from gateway.web.problems import RequestRefused

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_PATH: Final = "/webhooks/{provider}"
_MOST_BYTES: Final = 1024 * 1024
"""SendGrid posts events in batches of up to 768 KiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """The providers that may call, by their configured names."""

    receivers: Mapping[str, WebhookReceiver]
    desk: InboundDesk
    tracker: Tracker
    clock: Clock
    public_url: str

    async def take(self, request: web.Request) -> web.StreamResponse:
        """204, or 200 to a GET, once all that the call tells is on disk; 401 without a trace for a stranger's.

        Raises InvalidRequest where a genuine call holds nothing to keep, NotFound where no such provider calls us.
        Raises Unavailable where the provider shall call again.
        """
        name = request.match_info["provider"]
        receiver = self.receivers.get(name)
        if receiver is None:
            raise NotFound(f"No provider named {name!r} calls here.")
        call = WebhookRequest(
            url=f"{self.public_url}{request.rel_url}",
            headers={key.lower(): value for key, value in request.headers.items()},
            body=await _raw(request),
            received_at=self.clock.now(),
        )
        if not await receiver.verify(call):
            _log.warning("webhook.refused", provider=name, bytes=len(call.body))
            raise RequestRefused("bad_signature", "The call is not signed, or not lately, by this provider.")
        told = receiver.parse(call)
        for text in told:
            if isinstance(text, Inbound):
                await self.desk.take_in(name, text)
        if receipts := [one for one in told if isinstance(one, Receipt)]:
            await self.tracker.take_in(name, receipts)
        if isinstance(receiver, Confirming):
            await receiver.confirm(call)
        # Kannel, which gets, asks again after any answer but 200 and 202.
        return web.Response(status=204 if request.method == "POST" else 200)


def hook_routes(
    *, receivers: Mapping[str, WebhookReceiver], desk: InboundDesk, tracker: Tracker, clock: Clock, public_url: str
) -> list[web.RouteDef]:
    """The one address of all providers."""
    hooks = Hooks(receivers=receivers, desk=desk, tracker=tracker, clock=clock, public_url=public_url)
    return [web.post(_PATH, hooks.take), web.get(_PATH, hooks.take, allow_head=False)]


async def _raw(request: web.Request) -> bytes:
    if (request.content_length or 0) > _MOST_BYTES:
        raise RequestRefused("too_large", f"The body is larger than {_MOST_BYTES} bytes.")
    body = await arrived(request, request.read())
    if len(body) > _MOST_BYTES:
        raise RequestRefused("too_large", f"The body is larger than {_MOST_BYTES} bytes.")
    return body
