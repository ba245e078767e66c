"""The scaled mode as it is run: `heliograph serve` and any number of `heliograph worker` on PostgreSQL and Valkey."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import Server, await_ready, running
from tests.servers import PostgresServer, ValkeyServer, free_port, start_postgres, start_valkey

SHARED_BUFFERS = "512MB"
_GATEWAY = (sys.executable, "-m", "gateway.cli.main")
_SETTINGS = """
[delivery]
shed_after = "7d"
[log]
level = "error"
format = "json"
[providers.relay]
kind = "smtp"
host = "127.0.0.1"
port = {relay}
[providers.mailbox]
kind = "mailbox"
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
    """A store, a queue and a relay, with the settings that name them and a key."""

    database: str
    environment: Mapping[str, str]
    key: str

    @contextmanager
    def serve(self) -> Iterator[Server]:
        """One process that accepts."""
        port = str(free_port())
        with running((*_GATEWAY, "serve"), {**self.environment, "HELIOGRAPH_SERVER_PORT": port}) as process:
            await_ready(port)
            yield Server(processes=(process,), port=port, key=self.key)

    @contextmanager
    def work(self, processes: int = 1) -> Iterator[Server]:
        """So many processes that dispatch."""
        port = str(free_port())
        command = (*_GATEWAY, "worker", *(("--processes", str(processes)) if processes > 1 else ()))
        with running(command, {**self.environment, "HELIOGRAPH_WORKER_PORT": port}) as process:
            await_ready(port)
            yield Server(processes=(process,), port=port, key=self.key)


@contextmanager
def open_servers() -> Iterator[tuple[PostgresServer, ValkeyServer]]:
    """A PostgreSQL that syncs every commit, and a Valkey."""
    with ExitStack() as stack:
        postgres = stack.enter_context(start_postgres(durable=True, shared_buffers=SHARED_BUFFERS))
        yield postgres, stack.enter_context(start_valkey())


def build(folder: Path, database: str, queue: str, relay_port: str) -> House:
    """Write the settings, bring the tables up to date and make a key."""
    settings = folder / "heliograph.toml"
    settings.write_text(_SETTINGS.format(relay=relay_port), encoding="utf-8")
    environment = os.environ | {
        "HELIOGRAPH_CONFIG": str(settings),
        "HELIOGRAPH_STORE_URL": database,
        "HELIOGRAPH_QUEUE_URL": queue,
        "HELIOGRAPH_SECURITY_SECRET": "0" * 64,
    }
    _run(("db", "upgrade"), environment)
    key = json.loads(_run(("keys", "create", "--service", "bench", "--json"), environment))["key"]
    return House(database=database, environment=environment, key=key)


def _run(words: Sequence[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run((*_GATEWAY, *words), env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"heliograph {' '.join(words)}: {done.stderr}")
    return done.stdout
