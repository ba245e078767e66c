"""The servers that are held against each other, each as its own process.

    python -m benchmarks.servers echo                 bare aiohttp: decode, validate, encode the same body
    python -m benchmarks.servers gateway STORE        the whole gateway, dispatch paused; STORE is a URL or a folder
    python -m benchmarks.servers gateway STORE PORT   the same at work, with an SMTP relay at that port
    python -m benchmarks.servers gateway STORE PORT RULES   the same under those rules, a file of settings

Each prints its port and, for the gateway, a key, then serves until its standard input closes.
"""

import asyncio
import gc
import json
import sys
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from gateway.bootstrap import open_gateway
from gateway.logs import configure_logs
from gateway.settings import Settings
from gateway.web.app import make_app
from gateway.web.schemas.messages import SendShape
from gateway.web.server import listening


async def _echo(request: web.Request) -> web.Response:
    body = json.loads(await request.read())
    SendShape.model_validate(body)
    return web.Response(body=json.dumps(body).encode(), status=202, content_type="application/json")


@asynccontextmanager
async def _serve_echo() -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/v1/messages", _echo)
    # On the library's own server: what we do to ours must not change what it is measured against.
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    gc.collect()
    gc.freeze()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield str(runner.addresses[0][1])
    finally:
        await runner.cleanup()


def _read_rules(file: str) -> dict[str, object]:
    return tomllib.loads(Path(file).read_text(encoding="utf-8")) if file else {}


@asynccontextmanager
async def _serve_gateway(store: str, relay_port: str = "", rules: str = "") -> AsyncIterator[str]:
    relay = {"kind": "smtp", "host": "127.0.0.1", "port": relay_port}
    given = {
        "store": {"url": store if "://" in store else f"sqlite:///{store}/store.db"},
        "security": {"secret": "0" * 64},
        "delivery": {"shed_after": "7d"},
        "log": {"level": "error"},
        "providers": {"relay": relay} if relay_port else {},
        "routes": [{"channel": "email", "providers": ["relay"]}] if relay_port else [],
        **_read_rules(rules),
    }
    settings = Settings.model_validate(given)
    configure_logs(settings.log)
    async with (
        open_gateway(settings, work=bool(relay_port)) as gateway,
        listening(make_app(gateway), "127.0.0.1", 0) as port,
    ):
        yield f"{port} {gateway.first_key}"


async def main() -> None:
    """Serve what the command line names."""
    kind, *rest = sys.argv[1:]
    async with _serve_echo() if kind == "echo" else _serve_gateway(*rest) as told:
        print(told, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
