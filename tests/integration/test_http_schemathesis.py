"""Generated requests against the document: no server error, no answer that it does not declare."""

import asyncio
import contextlib
import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.bootstrap import open_gateway
from gateway.settings import Settings
from gateway.web.app import ENDPOINTS, make_app
from gateway.web.server import listening
from tests.http import ALL_SCOPES, ORDER_DATA, Site

CASES: Final = 200
LONG_CASES: Final = 5_000
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@contextmanager
def running_site(folder: Path) -> Iterator[tuple[str, str]]:
    """The gateway on a loopback port in a thread of its own: its address and a key with every scope."""
    told: list[tuple[str, str]] = []
    ready, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        configured = {"store": {"url": f"sqlite:///{folder}/store.db"}, "delivery": {"shed_after": "7d"}}
        async with open_gateway(Settings.model_validate(configured), work=False) as gateway:
            app = make_app(gateway)
            key = (await Site(gateway, None).caller("fuzz", ALL_SCOPES)).key  # type: ignore[arg-type]
            async with listening(app, "127.0.0.1", 0) as port:
                told.append((f"http://127.0.0.1:{port}", key))
                ready.set()
                await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        assert ready.wait(60)
        yield told[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    with running_site(tmp_path_factory.mktemp("fuzz")) as told:
        yield told


def deepen(case: Any) -> None:
    """Give every other generated message what acceptance asks for, so that the rest of it is looked at too."""
    body = case.body
    if isinstance(body, dict) and "template" in body and len(str(body)) % 2:
        body.update(template="order-shipped", data=dict(ORDER_DATA))
        if isinstance(body.get("to"), dict):
            body["to"]["email"] = "amina@example.org"


@pytest.mark.timeout(900)
def test_generated_requests_meet_no_server_error_and_no_undeclared_answer(address: tuple[str, str]) -> None:
    url, key = address
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    cases = LONG_CASES if os.environ.get("HELIOGRAPH_LONG") else CASES
    statuses: Counter[int] = Counter()

    def check(case: Any) -> None:
        deepen(case)
        response = case.call_and_validate(url, headers={"Authorization": f"Bearer {key}"}, checks=CHECKS)
        statuses[response.status_code] += 1

    for found in schema.get_all_operations():
        operation: Any = cast(Any, found).ok()
        for mode in GenerationMode.POSITIVE, GenerationMode.NEGATIVE:
            run = settings(
                max_examples=max(1, cases // len(ENDPOINTS) // 2),
                deadline=None,
                database=None,
                phases=(Phase.explicit, Phase.generate),
                suppress_health_check=list(HealthCheck),
            )(given(operation.as_strategy(mode))(check))  # type: ignore[no-untyped-call]
            with contextlib.suppress(Unsatisfiable):
                # An operation without parameters cannot be called wrongly.
                run()

    assert statuses.total() >= cases / 2
    assert {200, 202, 422} <= statuses.keys()
