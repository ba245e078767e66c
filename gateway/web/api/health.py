"""`/healthz` and `/readyz`: for whoever decides on restarts and on traffic."""

from typing import Final

from aiohttp import web

from gateway.delivery.upkeep.readiness import Readiness
from gateway.domain.recipients import JsonValue
from gateway.web.endpoints import Answer, Call, Nothing, endpoint
from gateway.web.responses import json_response
from gateway.web.schemas.health import HealthAnswer, ReadinessAnswer


@endpoint(
    "GET",
    "/healthz",
    summary="Does it live?",
    tag="Service",
    public=True,
    answers={200: Answer(description="It lives; a restart would mend nothing.", model=HealthAnswer)},
)
async def get_health(call: Call[Nothing, Nothing]) -> web.StreamResponse:
    """Answer at once, whatever the store does."""
    del call
    return json_response({"status": "ok"})


@endpoint(
    "GET",
    "/readyz",
    summary="Can it work?",
    tag="Service",
    public=True,
    answers={
        200: Answer(description="Messages are taken and handed over.", model=ReadinessAnswer),
        503: Answer(description="Send traffic elsewhere for now.", model=ReadinessAnswer),
    },
)
async def get_readiness(call: Call[Nothing, Nothing]) -> web.StreamResponse:
    """Say whether the store commits, is migrated and the worker works, and name texts that are broken on disk."""
    readiness = await call.gateway.readiness.check()
    return json_response(_readiness_json(readiness), 200 if readiness.is_ready else 503)


_MIGRATIONS: Final = {True: "ok", False: "pending", None: "unknown"}
_REDIS: Final = {True: "ok", False: "away", None: "unused"}
_QUEUE: Final = {True: "ok", False: "stopped", None: "elsewhere"}


def _readiness_json(readiness: Readiness) -> dict[str, JsonValue]:
    store = readiness.store
    return {
        "status": "ready" if readiness.is_ready else "not_ready",
        "store": {
            "status": "unavailable" if store is None else "ok",
            "engine": None if store is None else store.engine,
            "problem": readiness.store_problem,
        },
        "migrations": {
            "status": _MIGRATIONS[None if store is None else store.is_current],
            "revision": None if store is None else store.revision,
        },
        "queue": {"status": _QUEUE[readiness.is_working], "redis": _REDIS[readiness.is_connected]},
        "broken_catalogs": dict(readiness.broken_catalogs),
        "broken_templates": dict(readiness.broken_templates),
        "timezone_database": readiness.timezone_database,
        "warnings": list(readiness.warnings),
    }


ENDPOINTS: Final = (get_health, get_readiness)
