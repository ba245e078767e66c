"""`/v1/conversions`: orders, sign-ups and the like, tied to the message that led to them."""

from typing import Final

from aiohttp import web

from gateway.domain.engagement import Engagement
from gateway.domain.instants import rfc3339
from gateway.domain.keys import Scope
from gateway.domain.recipients import JsonValue
from gateway.web.endpoints import Answer, Call, Nothing, endpoint
from gateway.web.responses import json_response
from gateway.web.schemas.conversions import ConversionAnswer, ConversionShape


@endpoint(
    "POST",
    "/v1/conversions",
    summary="Tell of a conversion",
    tag="Messages",
    scopes=(Scope.SEND,),
    body=ConversionShape,
    answers={
        200: Answer(description="It was told before, under the same reference.", model=ConversionAnswer),
        201: Answer(description="It is kept with the message that led to it.", model=ConversionAnswer),
    },
    problems={404: ("not_found",), 409: ("not_sent",)},
)
async def add_conversion(call: Call[ConversionShape, Nothing]) -> web.StreamResponse:
    """Tie an order, a sign-up or the like to the message that led to it; nothing is kept where none did."""
    conversion, is_new = await call.gateway.converter.convert(call.caller.service_id, call.body.to_domain())
    return json_response(_conversion_json(conversion), 201 if is_new else 200)


def _conversion_json(conversion: Engagement) -> dict[str, JsonValue]:
    return {
        "id": conversion.id,
        "message_id": conversion.message_id,
        "delivery_id": conversion.delivery_id,
        "at": rfc3339(conversion.at),
        "data": dict(conversion.data),
    }


ENDPOINTS: Final = (add_conversion,)
