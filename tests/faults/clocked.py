"""The gateway by a wall clock that the rig steps; its monotonic clock is the machine's, as it would be.

    python -m tests.faults.clocked FILE serve|worker

FILE holds by how many seconds the wall clock is ahead. Everything else is as in the command of that name.
"""

import asyncio
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.bootstrap import open_gateway
from gateway.cli.running import stop_signals
from gateway.configuration import load_settings
from gateway.logs import configure_logs
from gateway.web.app import ADMISSION, make_app
from gateway.web.probes import make_probe_app
from gateway.web.server import listening


class SteppedClock:
    """`gateway.ports.Clock`."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def now(self) -> datetime:
        """The machine's time and what the rig adds to it."""
        return datetime.now(UTC) + timedelta(seconds=float(self._file.read_text()))

    def monotonic(self) -> float:
        """Never stepped."""
        return time.monotonic()


def main() -> None:
    """Run what the command line names until SIGTERM."""
    asyncio.run(_run(Path(sys.argv[1]), sys.argv[2]))


async def _run(file: Path, role: str) -> None:
    settings = load_settings().settings
    configure_logs(settings.log)
    work = role == "worker" or not settings.queue.url
    with stop_signals() as stop:
        async with open_gateway(settings, work=work, clock=SteppedClock(file)) as gateway:
            app = make_app(gateway) if role == "serve" else make_probe_app(gateway)
            port = settings.server.port if role == "serve" else settings.worker.port
            assert port is not None
            async with listening(app, "127.0.0.1", port):
                await stop.wait()
                if role == "serve":
                    app[ADMISSION].drain()
                await gateway.drain()


if __name__ == "__main__":
    main()
