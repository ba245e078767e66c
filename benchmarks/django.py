"""Delivered localized e-mails beside a Django + Celery + PostgreSQL project that does the same job.

Every round takes the project in `peers/django_celery` first, then the gateway: the same posts over as many
connections, the same SMTP sink, the same machine. The project runs in an environment of its own, made on demand.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from benchmarks import measure
from benchmarks.measure import Effort
from benchmarks.posts import PLACES, bodies
from benchmarks.processes import Delivered, Server, await_answer, deliver, running, start, together
from benchmarks.scaled import build, open_servers
from tests.servers import free_port

CONNECTIONS = 16
GOAL = (
    "at least 7 times the peer per second and per CPU second (stretch 12); at most half of its memory (stretch a third)"
)
PEER: Final = "Django + Celery + PostgreSQL"
PROJECT: Final = Path(__file__).parent / "peers" / "django_celery"


def main(effort: Effort) -> None:
    """Run the rounds and print the ratios."""
    posts, programs = bodies(), make_environment()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="heliograph-bench-")))
        postgres, valkey = stack.enter_context(open_servers())
        sink = stack.enter_context(start("sink"))
        house = build(folder, postgres.create_database(), valkey.url(1), sink.port)
        servers = {
            PEER: stack.enter_context(_start_peer(programs, postgres.create_database(), valkey.url(0), sink.port)),
            "Heliograph, scaled": together([stack.enter_context(house.serve()), stack.enter_context(house.work())]),
            "Heliograph, embedded": stack.enter_context(start("servers", "gateway", str(folder), sink.port)),
        }
        for server in servers.values():
            deliver(server, sink, posts, effort.seconds / 3, CONNECTIONS)
        rows = measure.interleave(
            lambda: {
                name: deliver(server, sink, posts, effort.seconds, CONNECTIONS) for name, server in servers.items()
            },
            rounds=effort.rounds,
            reference=lambda row: row[PEER].per_second,
        )
    title = f"Delivered e-mails, receipts and shipped orders in {len(PLACES)} locales, {CONNECTIONS} connections"
    measure.print_heading(title, rounds=len(rows), goal=GOAL)
    table = {name: measure.medians(_figures(row[name]) for row in rows) for name in servers}
    measure.print_rows(("per second", "CPU µs", "posted a second", "memory MiB"), table)
    for name in list(servers)[1:]:
        pairs = [(row[PEER], row[name]) for row in rows]
        faster = [ours.per_second / peer.per_second for peer, ours in pairs]
        cheaper = [peer.cpu_microseconds / ours.cpu_microseconds for peer, ours in pairs]
        smaller = [ours.memory_bytes / peer.memory_bytes for peer, ours in pairs]
        measure.print_ratio(f"{name}: delivered per second, times the peer", faster)
        measure.print_ratio(f"{name}: delivered per CPU second, times the peer", cheaper)
        measure.print_ratio(f"{name}: memory / the peer's", smaller)


def _figures(burst: Delivered) -> Sequence[float]:
    return burst.per_second, burst.cpu_microseconds, burst.posted_per_second, burst.memory_bytes / 2**20


def make_environment() -> Path:
    """The folder of the peer's programs; its environment is rebuilt when its lock or this Python changes."""
    lock, folder = PROJECT / "requirements.txt", PROJECT / ".venv"
    wanted = hashlib.sha256(sys.version.encode() + lock.read_bytes()).hexdigest()
    stamp, programs = folder / "stamp", folder / "bin"
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"Installing the peer's packages into {folder} …", flush=True)
        venv.EnvBuilder(clear=True, symlinks=True, with_pip=True).create(folder)
        how = ("--quiet", "--require-hashes", "--no-deps", "--only-binary", ":all:")
        subprocess.run([programs / "pip", "install", *how, "-r", lock], check=True, stderr=subprocess.DEVNULL)
        stamp.write_text(wanted)
    return programs


@contextmanager
def _start_peer(programs: Path, database: str, broker: str, relay_port: str) -> Iterator[Server]:
    """gunicorn and Celery, once both answer."""
    port = str(free_port())
    environment = os.environ | _settings(database, broker, relay_port, port)
    manage = (programs / "python", "-m", "django")
    subprocess.run([*manage, "migrate", "--verbosity", "0"], cwd=PROJECT, env=environment, check=True)
    made = subprocess.run([*manage, "create_key"], cwd=PROJECT, env=environment, check=True, capture_output=True)
    alone = ("--without-mingle", "--without-gossip", "--without-heartbeat")
    workers = (programs / "celery", "-A", "courier", "worker", "--concurrency", "2", *alone, "--loglevel", "ERROR")
    with ExitStack() as stack:
        processes = tuple(
            stack.enter_context(running(command, environment, PROJECT))
            for command in ((programs / "gunicorn",), workers)
        )
        await_answer(port)
        yield Server(processes=processes, port=port, key=made.stdout.decode().strip())


def _settings(database: str, broker: str, relay_port: str, port: str) -> Mapping[str, str]:
    address = urlsplit(database)
    return {
        "DJANGO_SETTINGS_MODULE": "courier.settings",
        "PYTHONPATH": str(PROJECT),
        "PYTHONWARNINGS": "ignore",
        "COURIER_DATABASE_HOST": parse_qs(address.query)["host"][0],
        "COURIER_DATABASE_NAME": address.path.lstrip("/"),
        "COURIER_DATABASE_USER": address.username or "postgres",
        "COURIER_BROKER_URL": broker,
        "COURIER_SMTP_PORT": relay_port,
        "COURIER_PORT": port,
    }
