"""Every row of the fault matrix that this machine can show, in its short form; `run.py faults` plays them whole."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from tests.faults.house import Mode
from tests.faults.rig import Row, Servers, Stage
from tests.faults.rows import ROWS

_LONG: Final = bool(os.environ.get("HELIOGRAPH_LONG"))
_TENTH: Final = 10


def _trials(row: Row, mode: Mode) -> int:
    short = row.short_trials(mode)
    return max(short, row.long // _TENTH) if _LONG else short


CASES: Final = [
    pytest.param(row, mode, id=f"{mode}-{row.name.replace(' ', '-')}")
    for mode in Mode
    for row in ROWS
    if mode in row.modes and _trials(row, mode) and row.possible() is None
]


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    """PostgreSQL and Valkey for all rows of the scaled mode."""
    with ExitStack() as stack:
        yield Servers(stack)


@pytest.mark.timeout(3_600 if _LONG else 600)
@pytest.mark.parametrize(("row", "mode"), CASES)
async def test_nothing_is_lost_or_sent_twice_under(row: Row, mode: Mode, servers: Servers, tmp_path: Path) -> None:
    verdict = await row.play(Stage(tmp_path, mode, servers), _trials(row, mode))

    assert verdict.problems == []
    assert verdict.trials > 0
