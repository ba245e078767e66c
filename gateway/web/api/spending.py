"""`/v1/spending`: how much of the limits is used."""

from typing import Final

from aiohttp import web

from gateway.delivery.upkeep.spending import Standing, Used
from gateway.domain.durations import format_duration
from gateway.domain.instants import rfc3339
from gateway.domain.keys import Scope
from gateway.domain.recipients import JsonValue
from gateway.domain.rules import Calendar
from gateway.domain.spending import price_shown
from gateway.web.endpoints import Answer, Call, Nothing, endpoint
from gateway.web.responses import json_response
from gateway.web.schemas.spending import SpendingAnswer


@endpoint(
    "GET",
    "/v1/spending",
    summary="Show what was spent",
    tag="Service",
    scopes=(Scope.OPS,),
    answers={200: Answer(description="As of now.", model=SpendingAnswer)},
)
async def get_spending(call: Call[Nothing, Nothing]) -> web.StreamResponse:
    """Say how much of each limit on spending is used now, and how many readers complain of marketing, by domain."""
    return json_response(_spending_json(await call.gateway.spending.standing()))


def _spending_json(standing: Standing) -> dict[str, JsonValue]:
    return {
        "at": rfc3339(standing.at),
        "currency": standing.currency,
        "limits": [_used_json(one) for one in standing.used],
        "complaints": [
            {
                "domain": one.domain,
                "sent": one.sent,
                "complaints": one.complaints,
                "rate": one.rate,
                "stopped": one.is_stopped,
            }
            for one in standing.complained
        ],
    }


def _used_json(one: Used) -> dict[str, JsonValue]:
    limit, spent = one.limit, one.spent
    return {
        "limit": limit.name,
        "by": limit.by.value,
        "of": one.of,
        "per": limit.per.value if isinstance(limit.per, Calendar) else format_duration(limit.per),
        "messages": None if limit.messages is None else {"used": spent.messages, "limit": limit.messages},
        "cost": None if limit.cost is None else {"used": price_shown(spent.cost), "limit": price_shown(limit.cost)},
        "share": round(one.share, 4),
    }


ENDPOINTS: Final = (get_spending,)
