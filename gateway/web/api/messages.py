"""`/v1/messages`: send one, and read what became of all."""

from collections.abc import AsyncIterator
from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from gateway.delivery.accepting.accept import Asked
from gateway.delivery.engagement.presentation import tally_json
from gateway.delivery.presentation import decisions_json, event_json, message_json
from gateway.domain.ids import MessageId, ServiceId
from gateway.domain.keys import Scope
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import Event
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel
from gateway.errors import NotFound
from gateway.ports import LogStore, MessageQuery, Page
from gateway.web.endpoints import Answer, Call, Nothing, endpoint
from gateway.web.idempotency import idempotency_key
from gateway.web.pagination import PageQuery, page_response
from gateway.web.refusals import looking_on
from gateway.web.requests import trace_context
from gateway.web.responses import JsonResponse, json_response
from gateway.web.schemas.answers import EventPage, MessageAnswer, MessagePage, ReadMessageAnswer
from gateway.web.schemas.common import CategoryName, ChannelName, Instant
from gateway.web.schemas.messages import SendShape

_READERS: Final = (Scope.READ, Scope.OPS)
_EVENTS_AT_ONCE: Final = 200


@endpoint(
    "POST",
    "/v1/messages",
    summary="Send a message",
    tag="Messages",
    scopes=(Scope.SEND,),
    body=SendShape,
    look_on=looking_on(SendShape),
    answers={
        202: Answer(
            description="It is on disk: nothing can lose it any more.",
            model=MessageAnswer,
            headers=("Location", "Idempotent-Replayed"),
        )
    },
    problems={409: ("in_flight",), 422: ("idempotency_mismatch",), 503: ("overloaded",)},
    headers=("Idempotency-Key", "traceparent"),
)
async def send_message(call: Call[SendShape, Nothing]) -> web.StreamResponse:
    """Accept one message: whether, when and how it goes is decided at hand-off, and can be read back."""
    caller = call.caller
    asked = Asked(request=call.body.to_domain(trace_context(call.request)), key=idempotency_key(call))
    accepted = await call.gateway.acceptor.accept(caller.service_id, caller.live, asked)
    headers = {"Location": f"/v1/messages/{accepted.message_id}"}
    if accepted.replayed:
        headers["Idempotent-Replayed"] = "true"
    return JsonResponse(accepted.answer, 202, headers)


_Filter = Annotated[str, Field(min_length=1, max_length=320)]


class MessageFilters(PageQuery):
    """Which messages; each filter narrows the list."""

    status: DeliveryStatus | None = None
    channel: ChannelName | None = None
    recipient: _Filter | None = Field(default=None, description="The recipient's id, or one whole address.")
    template: _Filter | None = None
    topic: _Filter | None = None
    category: CategoryName | None = None
    service: _Filter | None = Field(default=None, description="Name or id of a service; another's needs `ops`.")
    provider: _Filter | None = None
    locale: _Filter | None = Field(default=None, description="The locale that it was rendered in.")
    tag: _Filter | None = None
    created_from: Instant | None = Field(default=None, description="Created at this instant or later.")
    created_before: Instant | None = Field(default=None, description="Created before this instant.")
    text: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        default=None, description="Found in ids, addresses, template, tags, metadata and subjects."
    )


@endpoint(
    "GET",
    "/v1/messages",
    summary="List messages",
    tag="Messages",
    scopes=_READERS,
    query=MessageFilters,
    answers={200: Answer(description="Newest first.", model=MessagePage, headers=("Link",))},
)
async def list_messages(call: Call[Nothing, MessageFilters]) -> web.StreamResponse:
    """Read the delivery log: a service sees its own messages, `ops` sees all."""
    asked = call.query
    try:
        service_id = await _asked_service(call)
    except NotFound:
        return page_response(call.request, Page(items=(), next_cursor=None), message_json)
    query = MessageQuery(
        service_id=service_id,
        status=asked.status,
        channel=None if asked.channel is None else Channel(asked.channel),
        recipient=asked.recipient,
        template=asked.template,
        topic=asked.topic,
        category=None if asked.category is None else Category(asked.category),
        provider=asked.provider,
        locale=asked.locale,
        tag=asked.tag,
        created_from=asked.created_from,
        created_before=asked.created_before,
        text=asked.text,
        limit=asked.limit,
        cursor=asked.cursor,
    )
    page = await call.gateway.log.search(query)
    return page_response(call.request, page, message_json)


async def _asked_service(call: Call[Nothing, MessageFilters]) -> ServiceId | None:
    """Whose messages to list; None for everyone's. Raises NotFound for a service that the caller cannot see."""
    named, visible = call.query.service, call.caller.visible_service
    if named is None:
        return visible
    services = call.gateway.services
    try:
        service = await services.find_service(named)
    except NotFound:
        service = await services.get_service(ServiceId(named))
    if visible not in (None, service.id):
        raise NotFound("There is no such service.")
    return service.id


@endpoint(
    "GET",
    "/v1/messages/{message_id}",
    summary="Read a message",
    tag="Messages",
    scopes=_READERS,
    answers={200: Answer(description="The message and what became of it.", model=ReadMessageAnswer)},
)
async def get_message(call: Call[Nothing, Nothing]) -> web.StreamResponse:
    """Read a message with its deliveries, the latest decision on each, attempts, content, and what its reader did."""
    message_id, visible = MessageId(call.path["message_id"]), call.caller.visible_service
    record = await call.gateway.log.read(message_id, visible)
    decisions = decisions_json([event async for event in _timeline(call.gateway.log, message_id, visible)])
    done = await call.gateway.engagements.of_message(message_id)
    return json_response({**message_json(record, decisions), "engagement": tally_json(done)})


async def _timeline(log: LogStore, message_id: MessageId, visible: ServiceId | None) -> AsyncIterator[Event]:
    cursor = None
    while True:
        page = await log.events(message_id, visible, _EVENTS_AT_ONCE, cursor)
        for event in page.items:
            yield event
        cursor = page.next_cursor
        if cursor is None:
            return


@endpoint(
    "GET",
    "/v1/messages/{message_id}/events",
    summary="Read a message's timeline",
    tag="Messages",
    scopes=_READERS,
    query=PageQuery,
    answers={200: Answer(description="Oldest first.", model=EventPage, headers=("Link",))},
)
async def get_message_events(call: Call[Nothing, PageQuery]) -> web.StreamResponse:
    """Read every fact about a message in the order in which it became known."""
    message_id = MessageId(call.path["message_id"])
    query = call.query
    page = await call.gateway.log.events(message_id, call.caller.visible_service, query.limit, query.cursor)
    return page_response(call.request, page, event_json)


ENDPOINTS: Final = (send_message, list_messages, get_message, get_message_events)
