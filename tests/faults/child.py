"""The gateway as a child process that one may kill, and a client that keeps a ledger of what it was promised."""

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from tests.rigs import write_templates

_ROOT: Final = Path(__file__).resolve().parents[2]
_START_SECONDS: Final = 60.0
_GONE: Final = (aiohttp.ClientError, ConnectionError, TimeoutError)


class Child:
    """`heliograph serve` on a folder of its own and a port that stays the same from start to start."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = _free_port()
        self.key = ""
        """The API key that the first start printed."""
        self._process: Process | None = None
        templates = write_templates(folder / "templates")
        (folder / "translations").mkdir()
        settings = {
            "server": {"port": self.port},
            "store": {"url": f"sqlite:///{folder}/heliograph.db"},
            "content": {"templates": str(templates), "translations": str(folder / "translations")},
            "log": {"format": "json"},
        }
        self._config = folder / "heliograph.toml"
        self._config.write_text("\n".join(_toml(settings)), encoding="utf-8")

    @property
    def store_url(self) -> str:
        """Where its store lies, to be looked into once it is stopped."""
        return f"sqlite:///{self._folder}/heliograph.db"

    async def start(self, session: aiohttp.ClientSession) -> None:
        """Start it and wait until it is ready."""
        environment = {**os.environ, "HELIOGRAPH_CONFIG": str(self._config), "PYTHONPATH": str(_ROOT)}
        command = (sys.executable, "-m", "gateway.cli.main", "serve")
        process = await asyncio.create_subprocess_exec(
            *command, cwd=self._folder, env=environment, stdout=PIPE, stderr=DEVNULL
        )
        self._process = process
        async with asyncio.timeout(_START_SECONDS):
            if not self.key:
                assert process.stdout is not None
                self.key = (await process.stdout.readline()).decode().strip()
            while not await self._is_ready(session):
                assert process.returncode is None, "the gateway stopped at its start"
                await asyncio.sleep(0.02)

    async def _is_ready(self, session: aiohttp.ClientSession) -> bool:
        with suppress(*_GONE):
            async with session.get(f"http://127.0.0.1:{self.port}/readyz") as response:
                return response.status == 200
        return False

    async def kill(self) -> None:
        """Kill it as a power cut of the process would: no handler runs."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """Ask it to stop, and give its exit status."""
        return await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> int:
        process = self._process
        assert process is not None
        with suppress(ProcessLookupError):
            process.send_signal(number)
        # Reading what is left closes the pipe, whoever ends first.
        await process.communicate()
        assert process.returncode is not None
        return process.returncode


@dataclass(slots=True)
class Ledger:
    """What the gateway promised: for each key the id that a 202 named."""

    child: Child
    session: aiohttp.ClientSession
    promised: dict[str, str] = field(default_factory=dict)
    uncertain: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Posts whose answer never came: to be repeated with their key."""
    broken: list[str] = field(default_factory=list)
    """Promises that the gateway did not keep, in words."""

    async def post(self, key: str, body: dict[str, Any]) -> bool:
        """Post once and write the answer down; False when the gateway went away."""
        headers = {"Authorization": f"Bearer {self.child.key}", "Idempotency-Key": key}
        url = f"http://127.0.0.1:{self.child.port}/v1/messages"
        self.uncertain[key] = body
        try:
            async with self.session.post(url, json=body, headers=headers) as response:
                answer = await response.json()
                status = response.status
        except _GONE:
            return False
        if status == 202:
            earlier = self.promised.setdefault(key, answer["id"])
            if earlier != answer["id"]:
                self.broken.append(f"{key} was {earlier} and is {answer['id']}")
            self.uncertain.pop(key, None)
        elif status not in (409, 503):
            self.broken.append(f"{key} got {status}: {answer}")
        return True

    async def read(self, message_id: str) -> dict[str, Any]:
        """A message as the API shows it."""
        headers = {"Authorization": f"Bearer {self.child.key}"}
        url = f"http://127.0.0.1:{self.child.port}/v1/messages/{message_id}"
        async with self.session.get(url, headers=headers) as response:
            answer: dict[str, Any] = await response.json()
            assert response.status == 200, answer
            return answer


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _toml(settings: dict[str, dict[str, Any]]) -> list[str]:
    lines = []
    for section, values in settings.items():
        lines.append(f"[{section}]")
        # A JSON string or number is a TOML one too.
        lines += [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    return lines
