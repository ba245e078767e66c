"""The Helm chart, rendered by Helm itself: valid for Kubernetes, confined, probed, and scaled by the queue's age."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from gateway.cli.main import ENTRIES
from gateway.resources import version

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "heliograph"
OF_OTHERS = {"ScaledObject", "PodMonitor", "PrometheusRule"}
"""Kinds that are not Kubernetes' own, so that its schemas do not know them."""
CASES: Mapping[str, Mapping[str, Any]] = {
    "as it ships": {},
    "everything on": {
        "gateway": {"autoscaling": {"enabled": True}, "nodeSelector": {"disk": "fast"}},
        "worker": {"autoscaling": {"kind": "keda"}, "tolerations": [{"operator": "Exists"}]},
        "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "tls", "annotations": {"a": "b"}},
        "monitoring": {"enabled": True, "labels": {"release": "prometheus"}},
        "imagePullSecrets": [{"name": "registry"}],
        "migrate": {"post": True},
    },
    "scaled by an external metric": {"worker": {"autoscaling": {"kind": "hpa"}}},
    "without the migration": {"migrate": {"enabled": False}},
}
each_case = pytest.mark.parametrize("case", CASES)


def render(case: str) -> list[dict[str, Any]]:
    return [dict(one) for one in _rendered(case)]


@cache
def _rendered(case: str) -> tuple[dict[str, Any], ...]:
    return tuple(one for text in _render(CASES[case]) for one in yaml.safe_load_all(text) if one)


def _render(values: Mapping[str, Any]) -> Iterator[str]:
    if find_spec("helm_python") is not None:
        from helm_python import Chart

        with Chart.load(CHART) as chart:
            yield from chart.render(values=dict(values), name="shop", namespace="mail").values()
        return
    helm = shutil.which("helm")
    assert helm is not None, "install helm: there is no wheel of it for this platform"
    command = [helm, "template", "shop", str(CHART), "--namespace", "mail", "--values", "-"]
    yield subprocess.run(command, input=yaml.safe_dump(dict(values)), capture_output=True, text=True, check=True).stdout


def of_kind(case: str, kind: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in render(case) if one["kind"] == kind}


def pods(case: str) -> dict[str, dict[str, Any]]:
    found = {**of_kind(case, "Deployment"), **of_kind(case, "Job")}
    return {name: one["spec"]["template"]["spec"] for name, one in found.items()}


@each_case
def test_what_is_rendered_is_valid_for_kubernetes(case: str) -> None:
    for one in render(case):
        if one["kind"] not in OF_OTHERS:
            kubernetes_validate.validate(one, "1.31", strict=True)


@each_case
def test_every_pod_is_confined_and_runs_a_command_of_ours(case: str) -> None:
    for pod in pods(case).values():
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["args"][0] in ENTRIES
        assert {"requests", "limits"} <= container["resources"].keys()


@each_case
def test_gateway_and_worker_are_probed_and_have_time_to_drain(case: str) -> None:
    for name in ("shop-heliograph-gateway", "shop-heliograph-worker"):
        pod = pods(case)[name]
        (container,) = pod["containers"]
        paths = {probe: container[probe]["httpGet"]["path"] for probe in ("livenessProbe", "readinessProbe")}
        assert paths == {"livenessProbe": "/healthz", "readinessProbe": "/readyz"}
        assert container["startupProbe"]["httpGet"]["path"] == "/healthz"
        assert pod["terminationGracePeriodSeconds"] > 25 + int(container["lifecycle"]["preStop"]["exec"]["command"][1])


def test_a_changed_setting_rolls_the_pods() -> None:
    annotations = {
        case: of_kind(case, "Deployment")["shop-heliograph-worker"]["spec"]["template"]["metadata"]["annotations"]
        for case in CASES
    }

    assert all("checksum/config" in one for one in annotations.values())


def test_no_secret_is_rendered() -> None:
    assert all(one["kind"] != "Secret" for case in CASES for one in render(case))


def test_workers_are_scaled_by_the_age_of_the_queue() -> None:
    keda = of_kind("everything on", "ScaledObject")["shop-heliograph-worker"]["spec"]
    (trigger,) = keda["triggers"]
    external = of_kind("scaled by an external metric", "HorizontalPodAutoscaler")["shop-heliograph-worker"]["spec"]

    assert keda["scaleTargetRef"]["name"] == external["scaleTargetRef"]["name"] == "shop-heliograph-worker"
    assert trigger["type"] == "prometheus"
    assert trigger["metadata"]["query"] == "max(heliograph_oldest_due_seconds) or vector(0)"
    assert external["metrics"][0]["external"]["metric"]["name"] == "heliograph_oldest_due_seconds"


@pytest.mark.parametrize("case", ["everything on", "scaled by an external metric"])
def test_who_is_scaled_has_no_fixed_number(case: str) -> None:
    assert "replicas" not in of_kind(case, "Deployment")["shop-heliograph-worker"]["spec"]


def test_the_tables_are_made_ready_before_anything_else_and_tightened_only_on_demand() -> None:
    before = of_kind("as it ships", "Job")
    everything = of_kind("everything on", "Job")

    steps = {
        one["metadata"]["annotations"]["helm.sh/hook"]: one["spec"]["template"]["spec"]["containers"][0]["args"]
        for one in everything.values()
    }

    assert list(before) == ["shop-heliograph-migrate-pre"]
    assert steps == {
        "pre-install,pre-upgrade": ["db", "upgrade", "--pre"],
        "post-install,post-upgrade": ["db", "upgrade"],
    }
    assert of_kind("without the migration", "Job") == {}


def test_the_rules_are_those_that_ship() -> None:
    rule = of_kind("everything on", "PrometheusRule")["shop-heliograph"]
    shipped = CHART.parents[1] / "prometheus" / "heliograph.rules.yaml"

    assert rule["spec"] == yaml.safe_load(shipped.read_text(encoding="utf-8"))


def test_the_chart_is_of_this_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))

    assert chart["appVersion"] == chart["version"] == version()
