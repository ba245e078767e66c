"""The image and the services around it: linted by the tools of their trades, and held to what operators rely on."""

import re
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.configuration import load_settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PROGRAMS = Path(sysconfig.get_path("scripts"))
SECRETS = {
    "HELIOGRAPH_STORE_URL": "postgresql://heliograph@db/heliograph",
    "HELIOGRAPH_QUEUE_URL": "redis://redis:6379/0",
    "HELIOGRAPH_SECURITY_SECRET": "0" * 64,
}


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return loaded


def run(*command: str | Path) -> None:
    done = subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dockerfile_passes_hadolint() -> None:
    run(PROGRAMS / "hadolint", "--failure-threshold", "style", "deploy/Dockerfile")


def test_the_compose_file_fits_the_schema_of_compose() -> None:
    run(PROGRAMS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", "deploy/compose.yaml")


def test_the_image_runs_as_nobody_in_particular_from_two_stages() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    last_stage = text.rpartition("\nFROM ")[2]

    assert text.count("\nFROM ") == 2
    assert re.search(r"^USER 10001:10001$", last_stage, re.MULTILINE)
    assert "pip install" not in last_stage


def test_everything_that_the_image_copies_exists_and_is_let_through() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = {line.removeprefix("!") for line in lines if line.startswith("!")}

    copied = {word for words in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE) for word in words.split()}

    assert copied == allowed
    assert [name for name in copied if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("service", ["migrate", "gateway", "worker"])
def test_each_of_our_services_is_read_only_without_capabilities_and_has_time_to_drain(service: str) -> None:
    ours = compose()["services"][service]

    assert ours["read_only"] is True
    assert ours["cap_drop"] == ["ALL"]
    assert ours["security_opt"] == ["no-new-privileges:true"]
    assert int(ours["stop_grace_period"].removesuffix("s")) > 25


def test_no_secret_stands_in_the_compose_file_or_has_a_default() -> None:
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")

    taken = re.findall(r"\$\{(\w+)(:\?|:-|)", text)

    assert {name for name, _ in taken} == {"POSTGRES_PASSWORD", "HELIOGRAPH_SECURITY_SECRET"}
    assert {how for _, how in taken} == {":?"}


def test_git_ignores_the_file_that_keeps_the_secrets_of_the_compose_file() -> None:
    assert ".env" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("source", ["heliograph.toml", "helm"])
def test_the_settings_that_ship_with_it_are_valid(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = yaml.safe_load((DEPLOY / "helm" / "heliograph" / "values.yaml").read_text(encoding="utf-8"))
    text = values["config"] if source == "helm" else (DEPLOY / source).read_text(encoding="utf-8")
    (tmp_path / "heliograph.toml").write_text(text, encoding="utf-8")
    for name, value in {
        **SECRETS,
        "RELAY_PASSWORD": "x",
        "HELIOGRAPH_CONFIG": str(tmp_path / "heliograph.toml"),
    }.items():
        monkeypatch.setenv(name, value)

    settings = load_settings().settings

    assert {route.channel.value for route in settings.routes} == {"email", "sms", "push"}
    assert settings.queue.url == SECRETS["HELIOGRAPH_QUEUE_URL"]
