"""`/v1/templates`: what can be sent, what it takes, and how it looks."""

from datetime import timedelta
from typing import Final

from aiohttp import web

from gateway.domain.durations import format_duration
from gateway.domain.keys import Scope
from gateway.domain.recipients import Channel, JsonValue
from gateway.rendering.templates import Template
from gateway.rendering.variables import Variable
from gateway.web.endpoints import Answer, Call, Nothing, endpoint
from gateway.web.responses import json_response
from gateway.web.schemas.templates import PreviewAnswer, PreviewShape, TemplateAnswer, TemplateList

_READERS: Final = (Scope.SEND, Scope.READ, Scope.TRANSLATE, Scope.OPS)
"""Whoever sends, reads or translates messages may know what there is to send."""


@endpoint(
    "GET",
    "/v1/templates",
    summary="List templates",
    tag="Templates",
    scopes=_READERS,
    answers={200: Answer(description="By name.", model=TemplateList)},
)
async def list_templates(call: Call[Nothing, Nothing]) -> web.StreamResponse:
    """List every template that serves."""
    snapshot = call.gateway.renderer.pin().templates
    return json_response({"items": [_summary_json(snapshot.template(name)) for name in snapshot.names]})


@endpoint(
    "GET",
    "/v1/templates/{name}",
    summary="Read a template",
    tag="Templates",
    scopes=_READERS,
    answers={200: Answer(description="What it takes, with samples.", model=TemplateAnswer)},
)
async def get_template(call: Call[Nothing, Nothing]) -> web.StreamResponse:
    """Read what a template is for, its variables and its sample data."""
    return json_response(_template_json(call.gateway.renderer.pin().templates.template(call.path["name"])))


@endpoint(
    "POST",
    "/v1/templates/{name}/preview",
    summary="Preview a template",
    tag="Templates",
    scopes=_READERS,
    body=PreviewShape,
    answers={200: Answer(description="The text as it would be sent.", model=PreviewAnswer)},
    problems={422: ("render_failed",)},
)
async def preview_template(call: Call[PreviewShape, Nothing]) -> web.StreamResponse:
    """Render a template for people to look at, secret values as ••••; nothing is stored or sent."""
    body = call.body
    preview = call.gateway.previewer.preview(
        call.path["name"],
        Channel(body.channel),
        locale=body.locale,
        timezone=body.timezone,
        data=body.data,
        sample=body.sample,
        at=body.at,
    )
    return json_response(preview)


def _summary_json(template: Template) -> dict[str, JsonValue]:
    return {
        "name": template.name,
        "version": template.version,
        "description": template.description,
        "category": template.category.value,
        "topic": template.topic,
        "channels": [channel.value for channel in template.channels],
        "strategy": template.strategy.value,
    }


def _template_json(template: Template) -> dict[str, JsonValue]:
    return {
        **_summary_json(template),
        "fallback_after": _duration(template.fallback_after),
        "expires_after": _duration(template.expires_after),
        "variables": {name: _variable_json(variable) for name, variable in template.variables.items()},
        "samples": {name: dict(sample) for name, sample in template.samples.items()},
    }


def _duration(duration: timedelta | None) -> str | None:
    return None if duration is None else format_duration(duration)


def _variable_json(variable: Variable) -> dict[str, JsonValue]:
    shown: dict[str, JsonValue] = {
        "type": variable.type.value,
        "optional": variable.optional,
        "secret": variable.secret,
        "max_length": variable.max_length,
    }
    if variable.items is not None:
        shown["items"] = _variable_json(variable.items)
    if variable.fields is not None:
        shown["fields"] = {name: _variable_json(member) for name, member in variable.fields.items()}
    return shown


ENDPOINTS: Final = (list_templates, get_template, preview_template)
