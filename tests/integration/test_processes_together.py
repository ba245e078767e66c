"""What processes over one store share on one machine: a mailbox with a fixed port, and the port of the API."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from gateway.bootstrap import open_gateway
from gateway.domain.lifecycle import DeliveryStatus as S
from gateway.web.server import listening, reserved
from tests.rigs import make_settings, open_rig
from tests.servers import free_port


async def test_a_mailbox_with_a_fixed_port_serves_several_processes(tmp_path: Path) -> None:
    providers: dict[str, Any] = {"mailbox": {"kind": "mailbox", "port": free_port()}}
    settings = make_settings(tmp_path, providers=providers)
    async with (
        open_gateway(settings, work=False, together=True),
        open_rig(tmp_path, together=True, providers=providers) as rig,
    ):
        accepted = [await rig.send() for _ in range(10)]

        for one in accepted:
            await rig.settled(one, S.DELIVERED)


async def test_a_new_process_takes_over_the_port_before_the_old_one_is_gone() -> None:
    def app(name: str) -> web.Application:
        async def answer(_: web.Request) -> web.Response:
            return web.Response(text=name)

        made = web.Application()
        made.router.add_get("/", answer)
        return made

    async def asked(port: int) -> str:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/") as response:
            return await response.text()

    async with reserved("127.0.0.1", 0) as port, AsyncExitStack() as new:
        async with listening(app("old"), "127.0.0.1", port, shared=True):
            before = await asked(port)
            await new.enter_async_context(listening(app("new"), "127.0.0.1", port, shared=True))
            during = {await asked(port) for _ in range(20)}
        after = {await asked(port) for _ in range(20)}

    assert before == "old"
    assert during <= {"old", "new"}
    assert after == {"new"}
