"""The mailbox: `/mailbox` and what lies in it, as its reader would see it."""

from dataclasses import dataclass
from typing import Final

from aiohttp import web

from gateway.domain.ids import DeliveryId, MessageId
from gateway.domain.recipients import Channel
from gateway.errors import InvalidRequest, NotFound
from gateway.ports import LogStore, MailboxItem, MailboxStore, Page
from gateway.web.console.frames import email_frame
from gateway.web.console.letters import letter_json, links_of, with_inline_images
from gateway.web.pages.environment import Pages

_PAGE_SIZE: Final = 50
_VIEWS: Final = ("html", "phone", "text", "headers", "source")


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxPages:
    """The list of what went out, and the page of each."""

    pages: Pages
    mailbox: MailboxStore
    log: LogStore

    async def show_list(self, request: web.Request) -> web.StreamResponse:
        """`GET /mailbox`, newest first, all channels or one."""
        channel = next((each for each in Channel if each == request.query.get("channel")), None)
        wrong = False
        found: Page[MailboxItem] = Page(items=(), next_cursor=None)
        try:
            found = await self.mailbox.list_items(channel, _PAGE_SIZE, request.query.get("cursor"))
        except InvalidRequest:
            wrong = True
        return self.pages.respond(
            request,
            "console/mailbox.html",
            status=422 if wrong else 200,
            wrong=wrong,
            channel=channel,
            channels=list(Channel),
            items=[letter_json(item) for item in found.items],
            next_cursor=found.next_cursor,
        )

    async def show(self, request: web.Request) -> web.StreamResponse:
        """`GET /mailbox/{delivery_id}`; `?view=` chooses how an e-mail is shown."""
        item = await self._find(request)
        asked = request.query.get("view", "html")
        return self.pages.respond(
            request,
            "console/letter.html",
            item=letter_json(item),
            content=item.content,
            view=asked if asked in _VIEWS else "html",
            links=links_of(str(item.content.get("html") or "")) if item.channel is Channel.EMAIL else [],
            source=item.raw.decode("utf-8", "replace") if item.raw else "",
            message_id=await self._message_of(item.delivery_id),
        )

    async def show_email(self, request: web.Request) -> web.StreamResponse:
        """`GET /mailbox/{delivery_id}/html`: an e-mail's HTML, for the frame alone."""
        item = await self._find(request)
        return email_frame(with_inline_images(str(item.content.get("html") or ""), item.raw))

    async def _message_of(self, delivery_id: DeliveryId) -> MessageId | None:
        """The message in the log; None for mail that some other program handed to the mailbox."""
        try:
            return (await self.log.read_delivery(delivery_id)).message.id
        except NotFound:
            return None

    async def _find(self, request: web.Request) -> MailboxItem:
        return await self.mailbox.get_item(DeliveryId(request.match_info["delivery_id"]))
