"""Ports for servers that must be told theirs before they start."""

import os
import random
import socket
from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle
from typing import Final

_PER_PROCESS: Final = 1_500
"""Each process of a test run draws from a slice of its own: two never wait to use the same port."""
_FIRST: Final = 20_000
"""Up to 32,000: below what Linux gives to port 0 and to outgoing connections (32,768 to 60,999, `ip(7)`), so nobody
else is given the port between this answer and the server's start, nor while a killed server is down."""


def _own_ports() -> Iterator[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 8
    ports = list(range(_FIRST + worker * _PER_PROCESS, _FIRST + (worker + 1) * _PER_PROCESS))
    start = random.randrange(_PER_PROCESS)
    return cycle(ports[start:] + ports[:start])


_PORTS: Final = _own_ports()


def free_port() -> int:
    """A port of loopback on which nobody listens, and that nobody else is given before its turn comes again."""
    while True:
        port = next(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
