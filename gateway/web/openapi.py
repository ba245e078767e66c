"""The OpenAPI 3.1 document, written from the same declarations that the handlers are bound by.

pydantic 2 speaks JSON Schema 2020-12, which is OpenAPI 3.1's own dialect.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gateway.web.endpoints import Answer, Declaration, Endpoint
from gateway.web.problems import CONTENT_TYPE as PROBLEM_TYPE
from gateway.web.schemas.problems import ProblemAnswer

JsonObject = dict[str, Any]

_TAGS: Final = {
    "Messages": "Send, read, steer, and ask what would happen.",
    "Templates": "What can be sent, and how it looks.",
    "Recipients": "People, and what they want.",
    "Suppressions": "Addresses never to be written to.",
    "Webhook endpoints": "Where services hear what becomes of their messages.",
    "Inbound": "What people texted.",
    "Service": "Whether it lives, what it measures, what it can do.",
}
_STATUS_MEANINGS: Final = {
    400: "This is no HTTP request as it should be, or its body no JSON that every parser reads alike.",
    401: "No valid API key was sent.",
    403: "The key lacks the scope.",
    404: "There is no such thing, or it is another service's.",
    408: "The body took too long to arrive.",
    409: "The present state forbids it.",
    413: "The body is too large.",
    415: "The body is not `application/json` in UTF-8.",
    422: "Something in the request is wrong; `errors` names every field.",
    429: "This key calls faster than its rate.",
    503: "Not now: the store cannot commit, the backlog is too old, or the process is stopping. Nothing was stored.",
}
_HEADERS: Final[Mapping[str, JsonObject]] = {
    "X-Request-Id": {"description": "Names this request in our logs.", "schema": {"type": "string"}},
    "Location": {"description": "Where the new thing is read.", "schema": {"type": "string"}},
    "Idempotent-Replayed": {
        "description": "`true`: this answer was given before for the same key and body; nothing new was stored.",
        "schema": {"const": "true"},
    },
    "Retry-After": {"description": "Seconds after which to try again.", "schema": {"type": "string"}},
    "WWW-Authenticate": {"description": "The scheme that is asked for.", "schema": {"type": "string"}},
    "Link": {"description": 'The next page, `rel="next"`, while there is one.', "schema": {"type": "string"}},
}
_REQUEST_HEADERS: Final[Mapping[str, JsonObject]] = {
    "Idempotency-Key": {
        "description": "Repeats of the same body under one key are sent once; quoted or bare, 1 to 255 characters.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[\x21-\x7e]+$"},
    },
    "traceparent": {
        "description": "W3C trace context, passed on with the message.",
        "schema": {"type": "string", "pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"},
    },
}
_PATH_PARAMETERS: Final[Mapping[str, str]] = {
    "message_id": "Id of a message, `msg_…`.",
    "recipient_id": "The caller's own id of a person.",
    "suppression_id": "Id of a suppression, `sup_…`.",
    "endpoint_id": "Id of a webhook endpoint, `whe_…`.",
    "name": "Name of a template.",
}
_RETRIED: Final = (408, 429, 503)


def build_document(endpoints: Sequence[Endpoint], *, version: str, server: str) -> JsonObject:
    """The whole document; `server` is the public address of this gateway."""
    declarations = [point.declaration for point in endpoints]
    schemas, references = _schemas(declarations)
    paths: dict[str, JsonObject] = {}
    for told in declarations:
        paths.setdefault(told.path, {})[told.method.lower()] = _operation(told, references)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Heliograph",
            "version": version,
            "summary": "A messaging gateway: say what to tell whom; it decides whether, when and how.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": server}],
        "security": [{"key": []}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key, `hg_live_…` or `hg_test_…`."}
            },
            "headers": dict(_HEADERS),
            "schemas": schemas,
        },
    }


_Mode = Literal["validation", "serialization"]
_References = Mapping[tuple[type[BaseModel], _Mode], JsonObject]


def _schemas(declarations: Iterable[Declaration]) -> tuple[JsonObject, _References]:
    wanted: dict[tuple[type[BaseModel], _Mode], None] = {(ProblemAnswer, "serialization"): None}
    for told in declarations:
        for model in (told.body, told.query):
            if model is not None:
                wanted[model, "validation"] = None
        for answer in told.answers.values():
            if answer.model is not None:
                wanted[answer.model, "serialization"] = None
    references, document = models_json_schema(list(wanted), ref_template="#/components/schemas/{model}")
    return document.get("$defs", {}), {wish: references[wish] for wish in wanted}


def _operation(told: Declaration, references: _References) -> JsonObject:
    operation: JsonObject = {
        "operationId": told.operation,
        "summary": told.summary,
        "description": _description(told),
        "tags": [told.tag],
        "responses": _responses(told, references),
    }
    if parameters := _parameters(told):
        operation["parameters"] = parameters
    if told.public:
        operation["security"] = []
    if told.body is not None:
        schema = references[told.body, "validation"]
        operation["requestBody"] = {"required": told.needs_body, "content": {"application/json": {"schema": schema}}}
    return operation


def _description(told: Declaration) -> str:
    if not told.scopes:
        return told.description
    scopes = " or ".join(f"`{scope}`" for scope in told.scopes)
    return f"{told.description}\n\nScope: {scopes}."


def _parameters(told: Declaration) -> list[JsonObject]:
    parameters: list[JsonObject] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PATH_PARAMETERS[name],
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        }
        for name in re.findall(r"{(\w+)}", told.path)
    ]
    if told.query is not None:
        schema = told.query.model_json_schema()
        for name, member in schema["properties"].items():
            parameter = {"name": name, "in": "query", "schema": _inlined(member, schema.get("$defs", {}))}
            if description := parameter["schema"].pop("description", None):
                parameter["description"] = description
            parameter["required"] = name in schema.get("required", ())
            parameters.append(parameter)
    parameters.extend({"name": name, "in": "header", **_REQUEST_HEADERS[name]} for name in told.headers)
    return parameters


def _inlined(schema: JsonObject, definitions: JsonObject) -> JsonObject:
    """A query parameter's schema without null: a parameter that is not given is absent, never null."""
    plain = {name: value for name, value in schema.items() if name not in ("default", "title") or value is not None}
    plain.pop("title", None)
    if variants := plain.pop("anyOf", None):
        (only,) = [variant for variant in variants if variant.get("type") != "null"]
        plain.update(_inlined(only, definitions))
    if reference := plain.pop("$ref", None):
        plain.update(_inlined(definitions[reference.rpartition("/")[2]], definitions))
    return plain


def _responses(told: Declaration, references: _References) -> JsonObject:
    responses = {str(status): _success(answer, references) for status, answer in told.answers.items()}
    problem = references[ProblemAnswer, "serialization"]
    for status, codes in sorted(problems_of(told).items()):
        headers = {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}}
        if status in _RETRIED:
            headers["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}
        if status == 401:
            headers["WWW-Authenticate"] = {"$ref": "#/components/headers/WWW-Authenticate"}
        listed = ", ".join(f"`{code}`" for code in codes)
        responses[str(status)] = {
            "description": f"{_STATUS_MEANINGS[status]} Codes: {listed}.",
            "headers": headers,
            "content": {PROBLEM_TYPE: {"schema": problem}},
        }
    return responses


def _success(answer: Answer, references: _References) -> JsonObject:
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-Id", *answer.headers)}
    told: JsonObject = {"description": answer.description, "headers": headers}
    if answer.model is not None:
        told["content"] = {answer.content_type: {"schema": references[answer.model, "serialization"]}}
    elif answer.content_type != "application/json":
        told["content"] = {answer.content_type: {"schema": {"type": "string"}}}
    return told


def problems_of(told: Declaration) -> dict[int, tuple[str, ...]]:
    """Every problem that an endpoint may answer: those of its kind, and those that it declares itself."""
    problems: dict[int, tuple[str, ...]] = {}

    def add(status: int, *codes: str) -> None:
        problems[status] = tuple(dict.fromkeys((*problems.get(status, ()), *codes)))

    # An address or a header that is too long, whatever the method.
    add(400, "bad_request")
    if not told.public:
        add(401, "unauthenticated")
        add(422, "invalid_request")
        add(429, "rate_limited")
        add(503, "unavailable", "busy")
    if told.scopes:
        add(403, "missing_scope")
    if "{" in told.path:
        add(404, "not_found")
    if told.body is not None:
        add(400, "malformed_json")
        add(408, "body_time_out")
        add(413, "too_large")
        add(415, "unsupported_media_type")
    if told.method != "GET":
        add(503, "draining")
    for status, codes in told.problems.items():
        add(status, *codes)
    return problems
