"""An endpoint: one method on one path, with who may call it, what it takes and everything it may answer.

The decorator turns a typed handler into a value. `bind` makes the value a request handler; `openapi` makes it a
part of the document. Both read the same declaration, so that the two cannot drift apart.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from gateway.domain.ids import KeyId, ServiceId
from gateway.domain.keys import Scope
from gateway.domain.recipients import JsonValue
from gateway.domain.values import Value
from gateway.errors import InvalidRequest, NotFound
from gateway.web.auth import Authenticator, Caller
from gateway.web.body import MAX_NODES, Body, parse_json, read_body
from gateway.web.gateway import Gateway
from gateway.web.limits import RateLimiter
from gateway.web.validation import validate, validate_query


class Nothing(BaseModel):
    """No body, or no query parameters."""

    model_config = ConfigDict(extra="forbid")


_NOTHING: Final[BaseModel] = Nothing()
_NO_BODY: Final = Body(value=None, canonical=b"null")
_EMPTY_BODY: Final = Body(value={}, canonical=b"{}")
BodyT_co = TypeVar("BodyT_co", bound=BaseModel, covariant=True)
QueryT_co = TypeVar("QueryT_co", bound=BaseModel, covariant=True)


class Call(Value, Generic[BodyT_co, QueryT_co], frozen=True, kw_only=True):
    """One authenticated request, read and checked for shape."""

    gateway: Gateway
    request: web.Request
    caller: Caller
    path: Mapping[str, str]
    """The path's parameters, decoded."""
    query: QueryT_co
    body: BodyT_co
    canonical: bytes
    """The body's JSON in the form in which bodies compare."""
    limiter: RateLimiter

    def charge(self, cost: int) -> None:
        """Let this call count as `cost` more calls against the key's rate."""
        if self.caller.rate_per_second is not None and cost > 0:
            self.limiter.charge(self.caller.key_id, cost)


Handler = Callable[[Call[BodyT_co, QueryT_co]], Awaitable[web.StreamResponse]]


LookOn = Callable[[Gateway, Caller, JsonValue, InvalidRequest], Awaitable[InvalidRequest]]
"""How a body whose shape is wrong is refused, with what is wrong in the rest of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One declared success: its meaning, its shape and its own headers."""

    description: str
    model: type[BaseModel] | None = None
    headers: tuple[str, ...] = ()
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What is told of an endpoint in the OpenAPI document, and what its binding enforces."""

    method: str
    path: str
    operation: str
    """`operationId`: unique, a verb and its object."""
    summary: str
    description: str
    tag: str
    scopes: tuple[Scope, ...]
    """One of these is needed; none means any valid key."""
    public: bool
    """No key is asked for."""
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    answers: Mapping[int, Answer]
    problems: Mapping[int, tuple[str, ...]]
    """Codes of problems beyond those that every endpoint of its kind may answer, by status."""
    headers: tuple[str, ...]
    """Request headers that mean something here."""
    max_nodes: int
    is_batch: bool
    """Takes the larger body."""

    @property
    def needs_body(self) -> bool:
        """Whether a request without a body is refused; else it means an empty object."""
        return self.body is not None and any(member.is_required() for member in self.body.model_fields.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A declaration and the handler that keeps it."""

    declaration: Declaration
    handler: Callable[[Call[Any, Any]], Awaitable[web.StreamResponse]]
    look_on: LookOn | None


def endpoint(
    method: str,
    path: str,
    *,
    summary: str,
    tag: str,
    answers: Mapping[int, Answer],
    scopes: tuple[Scope, ...] = (),
    public: bool = False,
    body: type[BodyT_co] = Nothing,  # type: ignore[assignment]
    query: type[QueryT_co] = Nothing,  # type: ignore[assignment]
    problems: Mapping[int, tuple[str, ...]] | None = None,
    headers: tuple[str, ...] = (),
    max_nodes: int = MAX_NODES,
    is_batch: bool = False,
    look_on: LookOn | None = None,
) -> Callable[[Handler[BodyT_co, QueryT_co]], Endpoint]:
    """Declare a handler; its name becomes the operation's id, its docstring the description."""

    def declare(handler: Handler[BodyT_co, QueryT_co]) -> Endpoint:
        declaration = Declaration(
            method=method,
            path=path,
            operation=handler.__name__,
            summary=summary,
            description=" ".join((handler.__doc__ or "").split()),
            tag=tag,
            scopes=scopes,
            public=public,
            body=None if body is Nothing else body,
            query=None if query is Nothing else query,
            answers=answers,
            problems=problems or {},
            headers=headers,
            max_nodes=max_nodes,
            is_batch=is_batch,
        )
        return Endpoint(declaration=declaration, handler=handler, look_on=look_on)

    return declare


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """What every call passes before its handler."""

    authenticator: Authenticator
    limiter: RateLimiter
    body_bytes: int
    batch_body_bytes: int


_NO_PARAMETERS: Final[Mapping[str, str]] = {}
_NOBODY: Final = Caller(
    service_id=ServiceId(""), key_id=KeyId(""), live=False, scopes=frozenset(), rate_per_second=None
)


def bind(point: Endpoint, gateway: Gateway, guards: Guards) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The request handler: key, scope, rate, path, query, body, in this order, then the endpoint's own."""
    told = point.declaration
    limit = guards.batch_body_bytes if told.is_batch else guards.body_bytes
    needs_body = told.needs_body
    has_parameters = "{" in told.path
    authenticator, limiter = guards.authenticator, guards.limiter
    scopes = frozenset(told.scopes)

    async def handle(request: web.Request) -> web.StreamResponse:
        caller, allowance = _NOBODY, None
        if not told.public:
            header = request.headers.get("Authorization", "")
            caller = authenticator.believed(header) or await authenticator.authenticate(header)
            if scopes and scopes.isdisjoint(caller.scopes):
                caller.require(*told.scopes)
            if caller.rate_per_second is not None:
                allowance = limiter.take(caller.key_id, caller.rate_per_second)
        path = _checked_path(request.match_info) if has_parameters else _NO_PARAMETERS
        query: BaseModel = _NOTHING
        if told.query is not None:
            query = validate_query(told.query, tuple(request.query.items()))
        elif request.rel_url.raw_query_string and not told.public:
            validate_query(Nothing, tuple(request.query.items()))
        given, body = _NO_BODY, _NOTHING
        if told.body is not None:
            if needs_body or request.can_read_body:
                given = parse_json(await read_body(request, limit), max_nodes=told.max_nodes)
            else:
                given = _EMPTY_BODY
            try:
                body = validate(told.body, given.value)
            except InvalidRequest as error:
                if point.look_on is None:
                    raise
                raise await point.look_on(gateway, caller, given.value, error) from error
        response = await point.handler(
            Call(
                gateway=gateway,
                request=request,
                caller=caller,
                path=path,
                query=query,
                body=body,
                canonical=given.canonical,
                limiter=limiter,
            )
        )
        if allowance is not None:
            response.headers.update(allowance.headers)
        return response

    return handle


_MAX_PATH_PART: Final = 512


def _checked_path(parts: Mapping[str, str]) -> Mapping[str, str]:
    """The path's parameters; one that no store could hold names nothing."""
    for part in parts.values():
        if len(part) > _MAX_PATH_PART or not part.isprintable():
            raise NotFound("There is no such thing here.")
    return parts


def api_routes(endpoints: Sequence[Endpoint], gateway: Gateway) -> list[web.RouteDef]:
    """One route for each endpoint."""
    guards = Guards(
        authenticator=Authenticator(gateway.services, gateway.clock),
        limiter=RateLimiter(gateway.clock),
        body_bytes=gateway.settings.limits.body_bytes,
        batch_body_bytes=gateway.settings.limits.batch_body_bytes,
    )
    return [
        web.route(point.declaration.method, point.declaration.path, bind(point, gateway, guards)) for point in endpoints
    ]
