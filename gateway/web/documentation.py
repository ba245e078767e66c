"""`/openapi.json` and `/docs`, which works without the internet."""

from collections.abc import Sequence
from typing import Final

from aiohttp import web

from gateway.domain.encoding import encode
from gateway.web.endpoints import Endpoint
from gateway.web.openapi import build_document
from gateway.web.static_files import ROOT

API_VERSION: Final = "1.0.0"
"""Of the API, not of the gateway: it grows by additions only, under `/v1`."""
_PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def documentation_routes(endpoints: Sequence[Endpoint], *, server: str) -> list[web.RouteDef]:
    """The document, made once, and its page."""
    document = encode(build_document(endpoints, version=API_VERSION, server=server))
    page = (ROOT / "docs" / "index.html").read_bytes()

    async def openapi(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=document, content_type="application/json", headers={"Cache-Control": "no-cache"})

    async def docs(_request: web.Request) -> web.StreamResponse:
        headers = {"Content-Security-Policy": _PAGE_POLICY, "Cache-Control": "no-cache"}
        return web.Response(body=page, content_type="text/html", charset="utf-8", headers=headers)

    return [web.get("/openapi.json", openapi), web.get("/docs", docs)]
