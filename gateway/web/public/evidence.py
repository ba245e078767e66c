"""What a request says of who made it, kept with what the person chose."""

from typing import Final

from aiohttp import web

from gateway.domain.recipients import JsonValue

_USER_AGENT_LENGTH: Final = 200


def evidence_of(request: web.Request) -> dict[str, JsonValue]:
    """Which program it came from; never an address."""
    return {"user_agent": request.headers.get("User-Agent", "")[:_USER_AGENT_LENGTH]}
