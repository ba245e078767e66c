"""The demo from its start to its end, as `run.py demo --exit` runs it."""

import socket
from pathlib import Path

import pytest

from tests.servers import free_port
from tests.serving import plain_environment, run_command


@pytest.mark.timeout(180)
async def test_every_message_of_the_demo_ends_as_it_should(tmp_path: Path) -> None:
    environment = plain_environment(tmp_path, free_port())

    ended = await run_command("demo", "--exit", "--port", str(free_port()), environment=environment)

    assert ended.status == 0, ended.err
    assert "messages ended as they should" in ended.err
    for title in ("Deliveries by template", "Deliveries by channel", "Deliveries by locale", "Refused at once"):
        assert title in ended.out


async def test_a_demo_whose_port_is_taken_says_so(tmp_path: Path) -> None:
    environment = plain_environment(tmp_path, free_port())
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        ended = await run_command("demo", "--exit", "--port", str(port), environment=environment)

    assert ended.status == 1
    assert "The gateway did not start" in ended.err
    assert f"Cannot listen on 127.0.0.1:{port}" in ended.err
