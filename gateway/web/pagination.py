"""Lists: a limit, an opaque cursor, and where the next page is."""

from collections.abc import Callable
from typing import Annotated, TypeVar

from aiohttp import web
from pydantic import Field

from gateway.domain.recipients import JsonValue
from gateway.ports import Page
from gateway.web.responses import json_response
from gateway.web.schemas.common import Query

ItemT = TypeVar("ItemT")


class PageQuery(Query):
    """Which part of a list."""

    limit: Annotated[int, Field(ge=1, le=200, description="How many at most.")] = 50
    cursor: Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[A-Za-z0-9_.=-]+$")] | None = Field(
        default=None, description="`next_cursor` of the page before."
    )


def page_response(
    request: web.Request, page: Page[ItemT], present: Callable[[ItemT], dict[str, JsonValue]]
) -> web.StreamResponse:
    """`{items, next_cursor}`, and the same address as a Link header (RFC 8288)."""
    headers = {}
    if page.next_cursor is not None:
        following = request.rel_url.update_query(cursor=page.next_cursor)
        headers["Link"] = f'<{following}>; rel="next"'
    items: list[JsonValue] = [present(item) for item in page.items]
    return json_response({"items": items, "next_cursor": page.next_cursor}, headers=headers)
