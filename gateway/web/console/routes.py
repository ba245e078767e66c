"""Every page of the console."""

from typing import Final, NoReturn

from aiohttp import web

from gateway.ports import AuditStore, Clock, EngagementStore, LogStore, MailboxStore
from gateway.settings import Settings
from gateway.web.console.access import guarded
from gateway.web.console.log import LogPage
from gateway.web.console.mailbox import MailboxPages
from gateway.web.console.message import MessagePage
from gateway.web.pages.environment import Pages
from gateway.web.pages.handlers import as_page

_UNMASK: Final = "/log/{message_id}/unmask"


def console_routes(
    *,
    pages: Pages,
    settings: Settings,
    log: LogStore,
    engagements: EngagementStore,
    mailbox: MailboxStore,
    audit: AuditStore,
    clock: Clock,
) -> list[web.RouteDef]:
    """The routes, each behind the door of `access` and with refusals as pages."""
    log_page = LogPage(
        pages=pages, log=log, engagements=engagements, clock=clock, timezone=settings.policy.default_timezone
    )
    message_page = MessagePage(pages=pages, log=log, engagements=engagements, mailbox=mailbox, audit=audit, clock=clock)
    mailbox_pages = MailboxPages(pages=pages, mailbox=mailbox, log=log)
    handlers = {
        "/": _to_log,
        "/log": log_page.show,
        "/log/{message_id}": message_page.show,
        "/log/{message_id}/content/{delivery_id}": message_page.show_email,
        "/mailbox": mailbox_pages.show_list,
        "/mailbox/{delivery_id}": mailbox_pages.show,
        "/mailbox/{delivery_id}/html": mailbox_pages.show_email,
    }
    shown = [web.get(path, guarded(pages, settings, as_page(pages, handler))) for path, handler in handlers.items()]
    unmask = guarded(pages, settings, as_page(pages, message_page.unmask))
    return [*shown, web.post(_UNMASK, unmask), web.get(_UNMASK, _to_message)]


async def _to_message(request: web.Request) -> NoReturn:
    raise web.HTTPFound(request.rel_url.parent.with_query(request.rel_url.query))


async def _to_log(_request: web.Request) -> NoReturn:
    raise web.HTTPFound("/log")
