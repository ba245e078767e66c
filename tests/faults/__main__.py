"""Play rows of the fault matrix and print the table.

python -m tests.faults [--mode embedded|scaled|both] [--row WORD]… [--trials N] [--short] [--keep FOLDER]
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import aiohttp

from tests.faults.house import Mode
from tests.faults.judge import Verdict
from tests.faults.rig import Row, Servers, Stage
from tests.faults.rows import ROWS
from tests.faults.table import Line, head, print_line, summary


async def play(row: Row, stage: Stage, trials: int) -> Line:
    """Play one row in one mode."""
    began = time.monotonic()
    try:
        verdict = await row.play(stage, trials)
    except (AssertionError, OSError, aiohttp.ClientError) as error:
        # TimeoutError is an OSError. The other rows may still say something.
        verdict = Verdict(problems=[f"not played to its end: {type(error).__name__}: {str(error)[:500]}"])
    return Line(row=row, mode=stage.mode, verdict=verdict, seconds=time.monotonic() - began)


async def main() -> int:
    """Play what was asked for; 1 when anything broke."""
    asked = _parse()
    modes = list(Mode) if asked.mode == "both" else [Mode(asked.mode)]
    chosen = [row for row in ROWS if not asked.row or any(word.lower() in row.name.lower() for word in asked.row)]
    lines: list[Line] = []
    with ExitStack() as stack:
        root = Path(asked.keep or stack.enter_context(tempfile.TemporaryDirectory(prefix="heliograph-faults-")))
        servers = Servers(stack)
        print(head(), flush=True)
        for number, (row, mode) in enumerate((row, mode) for mode in modes for row in chosen if mode in row.modes):
            trials = asked.trials or (row.short_trials(mode) if asked.short else row.long)
            if (why := row.possible()) is not None:
                print(f"{row.name:<32}{mode:<10}not shown here: {why}", flush=True)
                continue
            if trials == 0:
                continue
            stage = Stage(root / f"{number}-{mode}", mode, servers, random.Random(asked.seed))
            line = await play(row, stage, trials)
            lines.append(line)
            print(print_line(line), flush=True)
    print(summary(lines))
    return int(any(line.verdict.problems for line in lines))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run.py faults", description="Hurt the gateway and count what it broke.")
    parser.add_argument("--mode", choices=[*Mode, "both"], default="both")
    parser.add_argument("--row", action="append", help="only rows whose name has this word, such as F2; repeat it")
    parser.add_argument("--trials", type=int, help="faults for each row, in place of its own number")
    parser.add_argument("--short", action="store_true", help="as in run.py test")
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--keep", help="a folder in which stores, journals, ledgers and logs stay")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
