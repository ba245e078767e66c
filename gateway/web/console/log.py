"""The delivery log: `/log`, newest first, every filter in the URL."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from aiohttp import web

from gateway.delivery.presentation import JsonObject, message_json
from gateway.domain.engagement import EngagementKind, tally
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.recipients import Channel, masked
from gateway.errors import InvalidRequest
from gateway.ports import Clock, EngagementStore, LogStore, MessageRecord
from gateway.web.console.filters import read_filters, to_query
from gateway.web.pages.environment import Pages

_COUNTED: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """The page with the list of messages."""

    pages: Pages
    log: LogStore
    engagements: EngagementStore
    clock: Clock
    timezone: str

    async def show(self, request: web.Request) -> web.StreamResponse:
        """`GET /log`: a filter that cannot be read is named on the page, with status 422."""
        filters = read_filters(request.query)
        wrong: tuple[str, ...] = ()
        messages: list[JsonObject] = []
        next_cursor = None
        try:
            found = await self.log.search(to_query(filters, self.timezone, request.query.get("cursor")))
            messages = [_row(record) for record in found.items]
            next_cursor = found.next_cursor
        except InvalidRequest as error:
            wrong = tuple(problem.pointer.removeprefix("?") for problem in error.problems) or ("cursor",)
        since = self.clock.now() - _COUNTED
        summary = await self.log.summary(since)
        done = tally((*each, number) for each, number in (await self.engagements.counts(since)).items())
        counts: Counter[DeliveryStatus] = Counter()
        for (_, _, _, status), number in summary.items():
            counts[status] += number
        return self.pages.respond(
            request,
            "console/log.html",
            status=422 if wrong else 200,
            filters=filters,
            wrong=wrong,
            chips=[(name, value) for name, value in filters.items() if value],
            messages=messages,
            next_cursor=next_cursor,
            counts=[(status, counts[status]) for status in DeliveryStatus if counts[status]],
            engagement=[(kind, *done[kind]) for kind in EngagementKind if any(done[kind])],
            statuses=list(DeliveryStatus),
            channels=list(Channel),
            known_templates=sorted({template for template, _, _, _ in summary}),
            known_locales=sorted({locale for _, _, locale, _ in summary if locale}),
        )


def _row(record: MessageRecord) -> JsonObject:
    """The message as the API shows it, with one way to recognise the person."""
    to = record.message.to
    addresses = [masked(address) for channel in Channel for address in to.addresses(channel)]
    return {**message_json(record), "who": to.id or (addresses[0] if addresses else "")}
