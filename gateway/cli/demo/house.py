"""The gateway of the demo: a process of its own, with its own settings, on a store in a folder that goes away."""

import asyncio
import os
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import aiohttp

from gateway.cli.output import fail
from gateway.configuration import CONFIG_VARIABLE

_HOST: Final = "127.0.0.1"
_USUAL_PORT: Final = 8080
_PORTS: Final = range(20_000, 32_000)
"""Below those that an operating system gives to outgoing connections: nobody gets one before the gateway listens."""
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.05
_LAST_LINES: Final = 15
_SETTINGS: Final = """\
# Everything of a demo run lies in this folder; e-mail goes through a relay of the kind `smtp`, which here is the
# mailbox's own SMTP listener.
[server]
port = {port}
[store]
url = "sqlite:///{folder}/heliograph.db"
[providers.mailbox]
kind = "mailbox"
port = {smtp_port}
[providers.relay]
kind = "smtp"
host = "127.0.0.1"
port = {smtp_port}
from = "Heliograph <hello@heliograph.example>"
[[routes]]
channel = "email"
providers = ["relay"]
[[routes]]
channel = "sms"
providers = ["mailbox"]
[[routes]]
channel = "push"
providers = ["mailbox"]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """A running gateway."""

    url: str
    key: str
    """The key that its first start printed."""
    process: asyncio.subprocess.Process


@asynccontextmanager
async def running(port: int | None) -> AsyncIterator[House]:
    """Start a gateway and wait until it is ready; at the end it is told to stop and its folder is removed.

    Without a port it takes the usual one, or any free one where that is taken.
    """
    with TemporaryDirectory(prefix="heliograph-demo-") as name:
        folder = Path(name)
        chosen = port if port is not None else _usual_or_free_port()
        settings = folder / "heliograph.toml"
        settings.write_text(_SETTINGS.format(port=chosen, smtp_port=_free_port(), folder=folder), encoding="utf-8")
        log = folder / "gateway.log"
        with log.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "gateway.cli.main",
                "serve",
                env=_environment(settings),
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                # Ctrl-C is for the demo, which then tells the gateway to stop.
                start_new_session=True,
            )
        try:
            yield await _wait_until_ready(process, f"http://{_HOST}:{chosen}", log)
        finally:
            await _stop(process)


def _environment(settings: Path) -> dict[str, str]:
    """Ours, without settings for another gateway."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HELIOGRAPH_")}
    return {**inherited, CONFIG_VARIABLE: str(settings)}


async def _wait_until_ready(process: asyncio.subprocess.Process, url: str, log: Path) -> House:
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_START_SECONDS):
            key = (await process.stdout.readline()).decode().strip()
            if key and await _is_ready(url):
                return House(url=url, key=key, process=process)
    except TimeoutError:
        pass
    raise fail(f"The gateway did not start:\n{_last_lines(log)}")


def _last_lines(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:])


async def _is_ready(url: str) -> bool:
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"{url}/readyz") as response:
                    if response.status == 200:
                        return True
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(_POLL_SECONDS)


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _usual_or_free_port() -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, _USUAL_PORT))
        except OSError:
            return _free_port()
    return _USUAL_PORT


def _free_port() -> int:
    for port in random.sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe, suppress(OSError):
            probe.bind((_HOST, port))
            return port
    raise fail(f"No port from {_PORTS[0]} to {_PORTS[-1]} is free: end what listens on them.")
