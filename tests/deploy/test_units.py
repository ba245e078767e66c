"""The systemd units: what they start exists, they give it time to drain, and systemd itself accepts them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.cli.main import ENTRIES

UNITS = sorted((Path(__file__).parents[2] / "deploy" / "systemd").iterdir())
PROGRAM = "/opt/heliograph/bin/heliograph"
EXPOSURE = "20"
"""systemd's own measure of what a service could do to the machine, from 0 to 100; an unconfined one has 96."""
each_unit = pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)


@each_unit
def test_a_unit_starts_a_command_that_exists(unit: Path) -> None:
    started = re.findall(rf"^ExecStart={PROGRAM} (\S+)$", unit.read_text(encoding="utf-8"), re.MULTILINE)

    assert len(started) == 1
    assert started[0] in ENTRIES


@each_unit
def test_a_unit_gives_calls_under_way_time_to_finish_and_starts_again_whatever_happened(unit: Path) -> None:
    lines = unit.read_text(encoding="utf-8").splitlines()
    given = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))

    assert int(given["TimeoutStopSec"]) > 25
    assert given["KillSignal"] == "SIGTERM"
    assert given["Restart"] == "always"
    assert given["DynamicUser"] == given["NoNewPrivileges"] == "yes"
    assert given["ProtectSystem"] == "strict"


if shutil.which("systemd-analyze"):

    @each_unit
    def test_systemd_accepts_a_unit_and_finds_it_confined(unit: Path, tmp_path: Path) -> None:
        # Verified with a program that this machine has, and with an instance where the unit is a template.
        placed = tmp_path / unit.name.replace("@", "@1")
        placed.write_text(unit.read_text(encoding="utf-8").replace(PROGRAM, "/bin/true"), encoding="utf-8")

        for check in (("verify", "--man=no"), ("security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager")):
            done = subprocess.run(["systemd-analyze", *check, placed], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
