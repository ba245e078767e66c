"""Hold the pure packages at their floor of coverage: `python -m tests.coverage_floors` after `coverage run`."""

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coverage import Coverage

FLOOR = 95.0
PACKAGES = ("gateway/domain", "gateway/policy", "gateway/rendering", "gateway/localization")


def percentages(report: Mapping[str, Any], package: str) -> tuple[float, float]:
    """Percent of lines and of branches covered in `package`, from coverage's JSON report."""
    files = [file["summary"] for name, file in report["files"].items() if Path(name).is_relative_to(package)]
    lines, branches = (
        (sum(file[done] for file in files), sum(file[total] for file in files))
        for done, total in (("covered_lines", "num_statements"), ("covered_branches", "num_branches"))
    )
    return _percent(*lines), _percent(*branches)


def main() -> int:
    """Print each package's figures; 1 when one is below the floor."""
    measured = Coverage()
    measured.load()
    with tempfile.TemporaryDirectory() as folder:
        measured.json_report(outfile=f"{folder}/coverage.json")
        report = json.loads(Path(folder, "coverage.json").read_text(encoding="utf-8"))
    figures = {package: percentages(report, package) for package in PACKAGES}
    for package, (lines, branches) in figures.items():
        sys.stdout.write(f"{package:<24} lines {lines:6.2f} %   branches {branches:6.2f} %\n")
    return int(any(min(pair) < FLOOR for pair in figures.values()))


def _percent(done: int, total: int) -> float:
    return 100.0 * done / total if total else 0.0


if __name__ == "__main__":
    sys.exit(main())
