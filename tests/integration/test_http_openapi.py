"""The document is sound, complete, and what the gateway really answers."""

from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.web.app import ENDPOINTS
from gateway.web.openapi import build_document, problems_of
from gateway.web.problems import STATUSES
from tests.http import Caller, Site

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def read_document(site: Site) -> Any:
    async with site.client.get("/openapi.json") as response:
        assert response.status == 200
        return await response.json()


async def test_the_document_is_valid_openapi_3_1(site: Site) -> None:
    document = await read_document(site)

    assert document["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


async def test_every_route_of_the_api_is_in_the_document(site: Site) -> None:
    document = await read_document(site)

    told = {(path, method.upper()) for path, methods in document["paths"].items() for method in methods}

    routes = site.client.app.router.routes()
    served = {(route.resource.canonical, route.method) for route in routes if route.resource is not None}
    shown = {(path, method) for path, method in served if path.startswith("/v1/") and method != "HEAD"}
    assert shown <= told
    assert told <= served


async def test_every_declared_problem_code_has_its_status() -> None:
    for point in ENDPOINTS:
        for status, codes in problems_of(point.declaration).items():
            assert {STATUSES[code] for code in codes} == {status}, point.declaration.operation


async def test_operations_have_names_of_their_own_and_say_what_they_do() -> None:
    names = [point.declaration.operation for point in ENDPOINTS]

    assert len(set(names)) == len(names)
    assert all(point.declaration.description and point.declaration.summary for point in ENDPOINTS)


async def test_the_document_names_the_public_address_as_its_server() -> None:
    document = build_document(ENDPOINTS, version="1", server="https://messages.example.org")

    assert document["servers"] == [{"url": "https://messages.example.org"}]


async def test_the_docs_page_loads_only_our_own_files_under_a_strict_policy(site: Site) -> None:
    async with site.client.get("/docs") as response:
        page, policy = await response.text(), response.headers["Content-Security-Policy"]

    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    for path in ("/static/vendor/swagger-ui-5.35.0/swagger-ui-bundle.js", "/static/docs/docs.js"):
        assert path in page
        async with site.client.get(path) as response:
            assert (response.status, response.content_type) == (200, "text/javascript")


@pytest.mark.parametrize(
    "path",
    [
        "/static/vendor/checksums",
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/docs/",
        "/static/vendor/swagger-ui-5.35.0/LICENSE",
    ],
)
async def test_nothing_but_the_listed_files_is_served(site: Site, path: str) -> None:
    async with site.client.get(path) as response:
        assert response.status == 404


async def test_every_answer_carries_a_request_id_and_security_headers(site: Site, shop: Caller) -> None:
    for path in ("/healthz", "/docs", "/v1/messages", "/v1/nothing", "/openapi.json"):
        reply = await shop.get(path)

        assert reply.headers["X-Request-Id"].startswith("req_"), path
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert "Content-Security-Policy" in reply.headers
        assert "aiohttp" not in reply.headers["Server"]


async def test_a_harmless_request_id_of_the_caller_is_kept_and_others_are_not(shop: Caller) -> None:
    kept = await shop.call("GET", "/healthz", headers={"X-Request-Id": "0af76519-16cd"})
    replaced = await shop.call("GET", "/healthz", headers={"X-Request-Id": "a b;c"})

    assert kept.headers["X-Request-Id"] == "0af76519-16cd"
    assert replaced.headers["X-Request-Id"].startswith("req_")
