"""How long work keeps the processor busy, for tests that tell linear from quadratic time."""

import time
from collections.abc import Callable

_TRIES = 3


def cpu_seconds(work: Callable[[], object]) -> float:
    """The least of three tries: a collection of garbage, half a second in a large run, may fall into one."""
    return min(_once(work) for _ in range(_TRIES))


def _once(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
