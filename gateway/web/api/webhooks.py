"""`/v1/webhook-endpoints`: where a service wants to hear what becomes of its messages."""

from typing import Any, Final

from aiohttp import web

from gateway.delivery.notifying.desk import Wish
from gateway.domain.ids import EndpointId
from gateway.domain.instants import rfc3339, rfc3339_or_none
from gateway.domain.keys import Scope
from gateway.domain.recipients import JsonValue
from gateway.domain.webhooks import Endpoint, EndpointFilter
from gateway.errors import FieldProblem, InvalidRequest
from gateway.web.auth import Caller
from gateway.web.endpoints import Answer, Call, Nothing, endpoint
from gateway.web.gateway import Gateway
from gateway.web.pagination import PageQuery, page_response
from gateway.web.responses import json_response
from gateway.web.schemas.webhooks import (
    EndpointAnswer,
    EndpointPage,
    EndpointShape,
    ReplayAnswer,
    ReplayShape,
    RotateShape,
    SecretEndpointAnswer,
    TrialAnswer,
)

_PATH: Final = "/v1/webhook-endpoints"
_ONE: Final = f"{_PATH}/{{endpoint_id}}"
_TAG: Final = "Webhook endpoints"
_LOOK: Final = (Scope.READ, Scope.OPS, Scope.ADMIN)
_CHANGE: Final = (Scope.SEND, Scope.OPS, Scope.ADMIN)
"""A key that only sends must not come to hear what it may not read: see `_changing`."""


@endpoint(
    "GET",
    _PATH,
    summary="List webhook endpoints",
    tag=_TAG,
    scopes=_LOOK,
    query=PageQuery,
    answers={200: Answer(description="Newest first.", model=EndpointPage, headers=("Link",))},
)
async def list_webhook_endpoints(call: Call[Nothing, PageQuery]) -> web.StreamResponse:
    """List the service's endpoints; those of all services with the scope `ops`."""
    query, store = call.query, call.gateway.endpoints
    page = await store.list_endpoints(call.caller.visible_service, query.limit, query.cursor)
    waiting = await store.waiting_notices([one.id for one in page.items])
    return page_response(call.request, page, lambda one: endpoint_json(one, waiting[one.id]))


@endpoint(
    "POST",
    _PATH,
    summary="Add a webhook endpoint",
    tag=_TAG,
    scopes=_CHANGE,
    body=EndpointShape,
    answers={201: Answer(description="It hears what happens from now on.", model=SecretEndpointAnswer)},
    problems={409: ("too_many_endpoints",)},
)
async def add_webhook_endpoint(call: Call[EndpointShape, Nothing]) -> web.StreamResponse:
    """Have an address of the service's told what becomes of its messages, signed with the secret that is answered."""
    caller = _changing(call)
    made = await call.gateway.endpoint_desk.add(caller.service_id, _wish(call.body), caller.by())
    return json_response({**endpoint_json(made, 0), "secret": made.secrets[0].text}, 201)


@endpoint(
    "GET",
    _ONE,
    summary="Read a webhook endpoint",
    tag=_TAG,
    scopes=_LOOK,
    answers={200: Answer(description="As it stands.", model=EndpointAnswer)},
)
async def get_webhook_endpoint(call: Call[Nothing, Nothing]) -> web.StreamResponse:
    """Whether an endpoint is called, what its last failure was, and how much waits for it."""
    found = await call.gateway.endpoints.get_endpoint(_id(call.path["endpoint_id"]), call.caller.visible_service)
    return json_response(await _shown(call.gateway, found))


@endpoint(
    "PUT",
    _ONE,
    summary="Change a webhook endpoint",
    tag=_TAG,
    scopes=_CHANGE,
    body=EndpointShape,
    answers={200: Answer(description="As it stands now.", model=EndpointAnswer)},
)
async def put_webhook_endpoint(call: Call[EndpointShape, Nothing]) -> web.StreamResponse:
    """Replace all but its secrets. To disable it drops what waits for it; once enabled, a replay brings that back."""
    caller, endpoint_id = _changing(call), _id(call.path["endpoint_id"])
    changed = await call.gateway.endpoint_desk.change(
        endpoint_id, caller.visible_service, _wish(call.body), caller.by()
    )
    return json_response(await _shown(call.gateway, changed))


@endpoint(
    "DELETE",
    _ONE,
    summary="Remove a webhook endpoint",
    tag=_TAG,
    scopes=_CHANGE,
    answers={204: Answer(description="It hears nothing any more.")},
)
async def delete_webhook_endpoint(call: Call[Nothing, Nothing]) -> web.StreamResponse:
    """Tell it nothing any more; what waits for it is dropped."""
    caller = _changing(call)
    await call.gateway.endpoint_desk.remove(_id(call.path["endpoint_id"]), caller.visible_service, caller.by())
    return web.Response(status=204)


@endpoint(
    "POST",
    f"{_ONE}/rotate",
    summary="Change a webhook endpoint's secret",
    tag=_TAG,
    scopes=_CHANGE,
    body=RotateShape,
    answers={200: Answer(description="Signed with both for a while.", model=SecretEndpointAnswer)},
)
async def rotate_webhook_secret(call: Call[RotateShape, Nothing]) -> web.StreamResponse:
    """Sign with a fresh secret from now on; for `overlap` each call carries a signature with the old one as well."""
    caller, endpoint_id = _changing(call), _id(call.path["endpoint_id"])
    changed = await call.gateway.endpoint_desk.rotate(
        endpoint_id, caller.visible_service, call.body.overlap, caller.by()
    )
    return json_response({**await _shown(call.gateway, changed), "secret": changed.secrets[0].text})


@endpoint(
    "POST",
    f"{_ONE}/test",
    summary="Try a webhook endpoint out",
    tag=_TAG,
    scopes=_CHANGE,
    answers={200: Answer(description="What it answered.", model=TrialAnswer)},
)
async def test_webhook_endpoint(call: Call[Nothing, Nothing]) -> web.StreamResponse:
    """Send it an event of type `webhook.test`, signed as all are, and say what it answered."""
    caller = _changing(call)
    trial = await call.gateway.endpoint_desk.test(_id(call.path["endpoint_id"]), caller.visible_service)
    return json_response(
        {
            "event_id": trial.event_id,
            "taken": trial.is_taken,
            "status": trial.answer.status,
            "detail": trial.answer.detail,
            "milliseconds": round(trial.seconds * 1000),
        }
    )


@endpoint(
    "POST",
    f"{_ONE}/replay",
    summary="Replay events to a webhook endpoint",
    tag=_TAG,
    scopes=_CHANGE,
    body=ReplayShape,
    answers={202: Answer(description="They are put out from now on.", model=ReplayAnswer)},
    problems={409: ("endpoint_disabled",)},
)
async def replay_webhook_events(call: Call[ReplayShape, Nothing]) -> web.StreamResponse:
    """Have it told once more what it wants of the events of a time, each under the id that it had."""
    caller, body = _changing(call), call.body
    now = call.gateway.clock.now()
    span = (body.since, now if body.until is None else body.until)
    if span[0] >= min(span[1], now):
        problem = FieldProblem(pointer="/since", code="empty_span", message="Give an instant before `until` and now.")
        raise InvalidRequest("There is no time between these instants.", [problem])
    replay = await call.gateway.endpoint_desk.replay(
        _id(call.path["endpoint_id"]), caller.visible_service, span, caller.by()
    )
    return json_response({"id": replay.id, "since": rfc3339(replay.since), "until": rfc3339(replay.until)}, 202)


def _changing(call: Call[Any, Nothing]) -> Caller:
    """Who calls, if the key may read as well. Raises MissingScope."""
    call.caller.require(*_LOOK)
    return call.caller


def _id(text: str) -> EndpointId:
    return EndpointId(text)


def _wish(shape: EndpointShape) -> Wish:
    wanted = {name: tuple(values) for name, values in shape.filters.model_dump().items()}
    return Wish(url=shape.url, description=shape.description, filters=EndpointFilter(**wanted), enabled=shape.enabled)


async def _shown(gateway: Gateway, found: Endpoint) -> dict[str, JsonValue]:
    waiting = await gateway.endpoints.waiting_notices([found.id])
    return endpoint_json(found, waiting[found.id])


def endpoint_json(found: Endpoint, waiting: int) -> dict[str, JsonValue]:
    """An endpoint as it stands, without its secrets."""
    filters, failure = found.filters, found.failure
    return {
        "id": found.id,
        "url": found.url,
        "description": found.description,
        "filters": {
            "types": [*filters.types],
            "channels": [*filters.channels],
            "categories": [*filters.categories],
            "topics": [*filters.topics],
            "templates": [*filters.templates],
            "tags": [*filters.tags],
        },
        "enabled": found.enabled,
        "disabled_reason": found.disabled_reason,
        "created_at": rfc3339(found.created_at),
        "changed_at": rfc3339(found.changed_at),
        "failing_since": rfc3339_or_none(found.failing_since),
        "not_before": rfc3339_or_none(found.not_before),
        "last_failure": None
        if failure is None
        else {"at": rfc3339(failure.at), "status": failure.status, "detail": failure.detail},
        "waiting": waiting,
    }


ENDPOINTS: Final = (
    list_webhook_endpoints,
    add_webhook_endpoint,
    get_webhook_endpoint,
    put_webhook_endpoint,
    delete_webhook_endpoint,
    rotate_webhook_secret,
    test_webhook_endpoint,
    replay_webhook_events,
)
