"""What drives delivery: clocks, and the doorbell between accept and dispatch."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Where time comes from; the only one who reads it."""

    def now(self) -> datetime:
        """The wall clock, aware UTC: for due times and records."""

    def monotonic(self) -> float:
        """Seconds that never step back: for leases, back-off and time-outs."""


class Wake(Protocol):
    """The doorbell between accept and dispatch: losing a ring costs a second, two rings cost nothing."""

    def ring(self) -> None:
        """Say that something may be due; never blocks and never raises."""
