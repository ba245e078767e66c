"""What the README and the quickstart tell a newcomer to type, typed."""

import asyncio
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.servers import free_port

ROOT = Path(__file__).parents[2]
ADDRESS = "http://127.0.0.1:8080"
DELIVERED_WITHIN_SECONDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A gateway that runs as `heliograph serve` left it, and the key that it printed."""

    url: str
    key: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    port = free_port()
    command = [sys.executable, "-m", "gateway.cli.main", "serve"]
    environ = os.environ | {"PYTHONPATH": str(ROOT), "HELIOGRAPH_SERVER_PORT": str(port)}
    with subprocess.Popen(
        command, cwd=tmp_path_factory.mktemp("served"), env=environ, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        # The line comes once the gateway is ready to answer.
        key = process.stdout.readline().decode().strip()
        yield Served(url=f"http://127.0.0.1:{port}", key=key)
        process.terminate()
    assert process.returncode == 0


async def test_the_curl_of_the_readme_delivers_one_message(served: Served) -> None:
    (curl,) = re.findall(r"^curl .*?^```", text_of("README.md"), flags=re.MULTILINE | re.DOTALL)
    words = shlex.split(curl[:-3])
    headers = dict(words[i + 1].split(": ", 1) for i, word in enumerate(words) if word == "-H")
    body = words[words.index("-d") + 1]
    url = next(word for word in words if word.startswith(ADDRESS))

    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {served.key}"}) as session:
        posted = await session.post(
            url.replace(ADDRESS, served.url), data=body, headers={"Content-Type": headers["Content-Type"]}
        )
        assert posted.status == 202, await posted.text()
        message = await delivered(session, served.url + posted.headers["Location"])

    assert headers["Authorization"] == "Bearer $HELIOGRAPH_KEY"
    assert [delivery["channel"] for delivery in message["deliveries"]] == ["email"]
    assert message["locale"] == "fr-CA"


@pytest.mark.parametrize("page", ["README.md", "docs/quickstart.md"])
async def test_the_send_command_of_a_page_delivers_one_message(served: Served, page: str) -> None:
    (command,) = re.findall(r"\.venv/bin/heliograph (send [^`\n]+)", text_of(page))[:1]

    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway.cli.main",
        *shlex.split(command),
        "--json",
        env=os.environ | {"PYTHONPATH": str(ROOT), "HELIOGRAPH_KEY": served.key, "HELIOGRAPH_URL": served.url},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()

    assert process.returncode == 0
    identifier = re.findall(rb"msg_\w+", output)[0].decode()
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {served.key}"}) as session:
        await delivered(session, f"{served.url}/v1/messages/{identifier}")


async def delivered(session: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    """The message at `url`, once it is delivered."""
    async with asyncio.timeout(DELIVERED_WITHIN_SECONDS):
        while True:
            async with session.get(url) as answer:
                message: dict[str, Any] = await answer.json()
            if message["status"] == "delivered":
                return message
            await asyncio.sleep(0.05)


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")
