"""Every benchmark runs and prints; its figures are nobody's business here."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import BENCHMARKS

ROOT = Path(__file__).parents[2]
PEER_LOCK = ROOT / "benchmarks" / "peers" / "django_celery" / "requirements.txt"
SLOW = {"accept", "claims", "django", "latency", "memory", "release", "workers"}
"""Those that start many servers, install packages of their own or wait for a minute to pass: run in the long form."""
IS_LONG = "HELIOGRAPH_LONG" in os.environ


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [name for name in BENCHMARKS if name not in SLOW or IS_LONG])
def test_each_benchmark_runs_in_its_short_form_and_prints_its_goal(name: str) -> None:
    command = [sys.executable, "-m", "benchmarks", "--short", name]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "load average" in done.stdout
    assert "goal: " in done.stdout


def test_the_peers_lock_pins_every_file_and_names_no_address() -> None:
    lines = PEER_LOCK.read_text().splitlines()

    pinned = [line for line in lines if re.match(r"[a-z]", line)]

    assert pinned
    assert all(re.fullmatch(r"[a-z0-9.-]+==[0-9a-z.]+( ; .+)? \\", line) for line in pinned), pinned
    assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in lines if line not in pinned)
