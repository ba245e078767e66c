"""The real app over a real store, and a client that speaks for a service."""

import io
import json
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient, TestServer

from gateway.bootstrap import Gateway
from gateway.domain import ids
from gateway.domain.ids import ServiceId, make_id
from gateway.domain.keys import DEFAULT_SCOPES, Scope, make_token
from gateway.errors import NotFound
from gateway.ports import ApiKey, Clock, Provider, Service
from gateway.settings import Settings
from gateway.web.app import make_app
from gateway.web.site import page_routes
from tests.modes import sections_of
from tests.rigs import opened
from tests.waiting import eventually

ORDER_DATA: Mapping[str, Any] = {
    "order": "A-1009",
    "total": {"amount": "129.90", "currency": "CAD"},
    "eta": "2026-12-01",
}
"""What the template `order-shipped` takes."""
_PATIENCE_SECONDS = 20.0
ALL_SCOPES = frozenset(Scope)


def send_body(**changes: Any) -> dict[str, Any]:
    """A send request that is accepted; of which a test names only what it is about."""
    body: dict[str, Any] = {
        "template": "order-shipped",
        "to": {"email": "amina@example.org"},
        "channels": ["email"],
        "data": dict(ORDER_DATA),
    }
    return {**body, **changes}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: Any
    """The JSON, or the text where it is none."""


@dataclass(frozen=True, slots=True)
class Caller:
    """One service's key and the gateway that it calls."""

    client: TestClient[Any, Any]
    key: str
    extra: Mapping[str, str] = field(default_factory=dict)

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Reply:
        """Make one call; `raw` is sent as it is, as JSON by its header."""
        sent = {"Authorization": f"Bearer {self.key}", **self.extra, **(headers or {})}
        content = json.dumps(body).encode() if raw is None and body is not None else raw
        if content is not None:
            sent.setdefault("Content-Type", "application/json")
        # A stream, since the client warns of large bodies given as bytes.
        data = None if content is None else io.BytesIO(content)
        async with self.client.request(
            method, path, data=data, headers=sent, params=params, allow_redirects=False
        ) as response:
            is_json = response.content_type.endswith("json")
            read = await (response.json(content_type=None) if is_json else response.text())
            return Reply(response.status, response.headers, read)

    async def get(self, path: str, **params: str) -> Reply:
        """Read."""
        return await self.call("GET", path, params=params)

    async def post(self, path: str, body: Any = None, **headers: str) -> Reply:
        """Post; header names are given with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.call("POST", path, body, headers=named)

    async def put(self, path: str, body: Any) -> Reply:
        """Put."""
        return await self.call("PUT", path, body)


@dataclass(frozen=True, slots=True)
class Site:
    """A running gateway behind its HTTP API."""

    gateway: Gateway
    client: TestClient[Any, Any]

    async def caller(
        self,
        service: str = "shop",
        scopes: Iterable[str] = DEFAULT_SCOPES,
        *,
        live: bool = True,
        rate: float | None = None,
    ) -> Caller:
        """A new key of a service, which is made if need be."""
        services, now = self.gateway.services, self.gateway.clock.now()
        try:
            owner = await services.find_service(service)
        except NotFound:
            owner = Service(id=ServiceId(make_id(ids.SERVICE, now)), name=service, senders=(), created_at=now)
            await services.add_service(owner)
        token = make_token(live=live, now=now)
        await services.add_key(
            ApiKey(
                id=token.id,
                service_id=owner.id,
                live=live,
                scopes=frozenset(scopes),
                secret_hash=token.secret_hash,
                rate_per_second=rate,
                created_at=now,
                expires_at=None,
                revoked_at=None,
            )
        )
        return Caller(self.client, token.text)


async def settled(caller: Caller, message_id: str, *statuses: str) -> dict[str, Any]:
    """The message once its status is one of these, or any final one; a test that waits in vain says where it hangs."""
    wanted = set(statuses) or {"delivered", "undelivered", "failed", "suppressed", "expired", "cancelled"}

    async def message() -> dict[str, Any]:
        body: dict[str, Any] = (await caller.get(f"/v1/messages/{message_id}")).body
        return body

    return await eventually(message, lambda seen: seen["status"] in wanted, _PATIENCE_SECONDS)


@asynccontextmanager
async def open_site(
    folder: Path, *, work: bool = False, clock: Clock | None = None, further: Collection[Provider] = (), **sections: Any
) -> AsyncIterator[Site]:
    """Open a gateway over a fresh store in `folder`; without `work` messages are accepted and wait."""
    settings = Settings.model_validate({**sections_of(folder), **sections})
    async with (
        opened(settings, work=work, clock=clock, further=further) as (gateway, _),
        TestClient(TestServer(make_app(gateway, page_routes(gateway)))) as client,
    ):
        yield Site(gateway, client)
