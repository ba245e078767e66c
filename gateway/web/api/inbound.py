"""`/v1/inbound`: the texts that came in, the unclear ones for a person to decide."""

from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from gateway.domain.inbound import InboundText
from gateway.domain.instants import rfc3339
from gateway.domain.keys import Scope
from gateway.domain.recipients import JsonValue
from gateway.ports import InboundQuery
from gateway.web.endpoints import Answer, Call, Nothing, endpoint
from gateway.web.pagination import PageQuery, page_response
from gateway.web.schemas.inbound import InboundPage, MeaningName


class InboundListQuery(PageQuery):
    """Which texts."""

    meaning: MeaningName | None = Field(default=None, description="What they were taken to mean.")
    sender: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        default=None, description="Whose they are: the whole number, in E.164."
    )


@endpoint(
    "GET",
    "/v1/inbound",
    summary="List the texts that came in",
    tag="Inbound",
    scopes=(Scope.OPS,),
    query=InboundListQuery,
    answers={200: Answer(description="Newest first.", model=InboundPage, headers=("Link",))},
)
async def list_inbound(call: Call[Nothing, InboundListQuery]) -> web.StreamResponse:
    """List what people texted, with what each text was taken to mean and what followed.

    `meaning=unclear` lists those that may mean STOP: whoever reads them adds the suppression, or lets it be.
    """
    query = call.query
    page = await call.gateway.texts.list_inbound(
        InboundQuery(meaning=query.meaning, sender=query.sender, limit=query.limit, cursor=query.cursor)
    )
    return page_response(call.request, page, inbound_json)


def inbound_json(text: InboundText) -> dict[str, JsonValue]:
    """A text that came in."""
    return {
        "id": text.id,
        "provider": text.provider,
        "channel": text.channel.value,
        "sender": text.sender,
        "recipient": text.recipient,
        "text": text.text,
        "meaning": text.meaning,
        "at": rfc3339(text.at),
        "handled": {**text.handled},
    }


ENDPOINTS: Final = (list_inbound,)
