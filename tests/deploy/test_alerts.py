"""The alerting rules: each is PromQL, asks for what is really measured, and is explained to whoever it wakes."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from gateway.metrics import Metrics
from gateway.web.metrics import HttpMetrics

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "prometheus"
PROMTOOL = shutil.which("promtool")
"""No wheel brings it: the cases run where Prometheus is installed."""


def rules() -> list[dict[str, Any]]:
    loaded = yaml.safe_load((FOLDER / "heliograph.rules.yaml").read_text(encoding="utf-8"))
    return [rule for group in loaded["groups"] for rule in group["rules"]]


def selectors(expression: Any) -> Iterator[Any]:
    """Every vector selector in a parsed expression."""
    if isinstance(expression, promql_parser.VectorSelector):
        yield expression
        return
    for name in ("expr", "lhs", "rhs", "vector_selector", "vs"):
        if (inner := getattr(expression, name, None)) is not None:
            yield from selectors(inner)
    for argument in getattr(expression, "args", None) or ():
        yield from selectors(argument)


def measured() -> dict[str, set[str]]:
    """Each series that `/metrics` can show, with its labels."""
    metrics = Metrics()
    HttpMetrics(metrics.registry)
    found: dict[str, set[str]] = {"heliograph_http_requests_total": {"route", "method", "status"}}
    for collector in vars(metrics).values():
        for family in collector.describe() if hasattr(collector, "describe") else ():
            labels = set(collector._labelnames)
            endings = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
            found |= {f"{family.name}{ending}": labels for ending in endings[family.type]}
    return found


each_rule = pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])


@each_rule
def test_an_alert_asks_for_series_that_are_measured_by_labels_that_they_have(rule: dict[str, Any]) -> None:
    known = measured()

    asked = list(selectors(promql_parser.parse(rule["expr"])))

    assert asked
    for selector in asked:
        assert selector.name in known
        labels = {matcher.name for matcher in selector.matchers.matchers}
        assert labels <= known[selector.name] | {"le"}, selector.name


@each_rule
def test_an_alert_says_how_bad_it_is_and_where_it_is_explained(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^#+ (\S+)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)

    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"].keys() == {"summary", "description", "runbook"}
    assert anchor == rule["alert"].lower()
    assert rule["alert"] in headings


if PROMTOOL is not None:

    @pytest.mark.parametrize("command", [("check", "heliograph.rules.yaml"), ("test", "heliograph.rules.test.yaml")])
    def test_prometheus_itself_accepts_the_rules_and_their_cases(command: tuple[str, str]) -> None:
        verb, file = command
        assert PROMTOOL is not None

        done = subprocess.run([PROMTOOL, verb, "rules", file], cwd=FOLDER, capture_output=True, text=True, check=False)

        assert done.returncode == 0, done.stdout + done.stderr


def test_the_cases_are_of_alerts_that_exist() -> None:
    cases = yaml.safe_load((FOLDER / "heliograph.rules.test.yaml").read_text(encoding="utf-8"))

    named = {case["alertname"] for test in cases["tests"] for case in test["alert_rule_test"]}

    assert named <= {rule["alert"] for rule in rules()}
