"""The real command as a child process: `heliograph serve` on a store of its own, and other commands against it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from typer.testing import CliRunner

from gateway.cli.main import app
from tests.servers import free_port

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_COMMAND = (sys.executable, "-m", "gateway.cli.main")
_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that ended."""

    status: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Served:
    """A running gateway, and how commands reach it."""

    url: str
    key: str
    process: asyncio.subprocess.Process
    environment: Mapping[str, str]

    async def run(self, *words: str, **changes: str) -> Ended:
        """Run one command in this process, with this gateway's address, key and settings: quicker than a child."""
        environment = {**self.environment, **changes}
        result = await asyncio.to_thread(CliRunner().invoke, app, list(words), env=environment, prog_name="heliograph")
        return Ended(result.exit_code, result.stdout, result.stderr)

    async def stop(self) -> int:
        """Tell it to stop and wait for its exit status."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(_STOP_SECONDS):
            return await self.process.wait()


async def run_command(*words: str, environment: Mapping[str, str], stdin: bytes | None = None) -> Ended:
    """Run one command of `heliograph` to its end."""
    process = await asyncio.create_subprocess_exec(
        *_COMMAND,
        *words,
        env=dict(environment),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(stdin)
    return Ended(process.returncode or 0, out.decode(), err.decode())


def plain_environment(folder: Path, port: int) -> dict[str, str]:
    """Settings for a gateway whose store lies in `folder`; nothing of the caller's own settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HELIOGRAPH_")}
    return {
        **inherited,
        "PYTHONPATH": str(_ROOT),
        "COLUMNS": "200",
        "HELIOGRAPH_STORE_URL": f"sqlite:///{folder}/heliograph.db",
        "HELIOGRAPH_SERVER_PORT": str(port),
    }


def routed(folder: Path) -> dict[str, str]:
    """What names a settings file in `folder` that routes every channel to the mailbox, as scaled mode wants it said."""
    file = folder / "heliograph.toml"
    routes = "".join(f'[[routes]]\nchannel = "{one}"\nproviders = ["mailbox"]\n' for one in ("email", "sms", "push"))
    file.write_text(f'[providers.mailbox]\nkind = "mailbox"\n{routes}', encoding="utf-8")
    return {"HELIOGRAPH_CONFIG": str(file)}


async def _answers(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.get(f"{url}/readyz") as response:
            return response.status == 200
    except aiohttp.ClientConnectionError:
        return False


@asynccontextmanager
async def running(*words: str, environment: Mapping[str, str], log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A command of `heliograph` that goes on until it is told to stop; killed at the end, its errors in `log`."""
    with log.open("ab") as stderr:
        process = await asyncio.create_subprocess_exec(
            *_COMMAND, *words, env=dict(environment), stdout=asyncio.subprocess.PIPE, stderr=stderr
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        # Reading what is left closes the pipe.
        await process.communicate()


def _text(log: Path) -> str:
    return log.read_text(errors="replace")


async def ready(process: asyncio.subprocess.Process, port: int, log: Path) -> str:
    """The address of a process once it says that it can work."""
    url = f"http://127.0.0.1:{port}"
    async with asyncio.timeout(_START_SECONDS):
        while not await _answers(url):
            assert process.returncode is None, _text(log)
            await asyncio.sleep(0.05)
    return url


@asynccontextmanager
async def serving(folder: Path, *words: str, first: bool = True, **changes: str) -> AsyncIterator[Served]:
    """A gateway that answers, and has printed its key if this is the `first` start; killed at the end."""
    port, log = free_port(), folder / "gateway.log"
    environment = {**plain_environment(folder, port), **changes}
    async with running("serve", *words, environment=environment, log=log) as process:
        assert process.stdout is not None
        async with asyncio.timeout(_START_SECONDS):
            key = (await process.stdout.readline()).decode().strip() if first else ""
        url = await ready(process, port, log)
        yield Served(url, key, process, {**environment, "HELIOGRAPH_URL": url, "HELIOGRAPH_KEY": key})


@asynccontextmanager
async def working(folder: Path, *words: str, environment: Mapping[str, str]) -> AsyncIterator[Served]:
    """A `heliograph worker` that claims, beside a gateway with these settings; killed at the end."""
    port, log = free_port(), folder / "worker.log"
    own = {**environment, "HELIOGRAPH_WORKER_PORT": str(port)}
    async with running("worker", *words, environment=own, log=log) as process:
        yield Served(await ready(process, port, log), "", process, own)
