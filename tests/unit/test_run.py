"""run.py: what it decides before it does anything."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import run

LISTING = """\
:env:.cert='/etc/ssl/company.pem'
:env:.disable-pip-version-check='1'
global.cert='/etc/ssl/old.pem'
global.extra-index-url='\\nhttps://one.example/simple\\nhttps://two.example/simple'
global.find-links='/opt/wheels /opt/more'
global.index-url='https://global.example/simple'
install.index-url='https://install.example/simple'
"""


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout in which nothing is installed yet."""
    requirements = tmp_path / "requirements"
    requirements.mkdir()
    (requirements / "runtime.txt").write_text("aiohttp==3.14.5\n")
    venv = tmp_path / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").touch()
    for name, value in {
        "ROOT": tmp_path,
        "REQUIREMENTS": requirements,
        "STAMP": venv / "heliograph.json",
        "PYTHON": venv / "bin" / "python",
    }.items():
        monkeypatch.setattr(run, name, value)
    return tmp_path


def test_a_variable_of_pip_beats_its_files_and_install_beats_global() -> None:
    settings = run.pip_settings(LISTING)

    assert settings["cert"] == "/etc/ssl/company.pem"
    assert settings["index-url"] == "https://install.example/simple"


def test_the_machines_pip_settings_reach_uv_under_its_own_names() -> None:
    variables = run.uv_variables(run.pip_settings(LISTING))

    assert variables == {
        "UV_DEFAULT_INDEX": "https://install.example/simple",
        "UV_INDEX": "https://one.example/simple https://two.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "/opt/wheels,/opt/more",
        "SSL_CERT_FILE": "/etc/ssl/company.pem",
    }


def test_a_machine_without_pip_settings_leaves_uv_alone() -> None:
    assert run.uv_variables(run.pip_settings("")) == {}


@pytest.mark.parametrize("stamp", [None, "", "{", "[]", "{}", '{"fingerprint": "other", "group": "dev"}'])
def test_an_environment_without_its_own_stamp_is_built_from_nothing(house: Path, stamp: str | None) -> None:
    if stamp is not None:
        (house / ".venv" / "heliograph.json").write_text(stamp)

    assert run.installed_group(run.fingerprint()) is None


def test_a_stamped_environment_is_found_ready(house: Path) -> None:
    run.write_stamp(run.fingerprint(), "runtime")

    assert run.installed_group(run.fingerprint()) == "runtime"
    assert json.loads((house / ".venv" / "heliograph.json").read_text())["group"] == "runtime"


def test_a_changed_lock_makes_the_environment_stale(house: Path) -> None:
    run.write_stamp(run.fingerprint(), "dev")

    (house / "requirements" / "runtime.txt").write_text("aiohttp==3.14.6\n")

    assert run.installed_group(run.fingerprint()) is None


def test_an_environment_whose_python_is_gone_is_built_from_nothing(house: Path) -> None:
    run.write_stamp(run.fingerprint(), "dev")

    (house / ".venv" / "bin" / "python").unlink()

    assert run.installed_group(run.fingerprint()) is None


def test_where_venv_is_missing_one_line_says_what_to_install() -> None:
    advice = run.advice_for_missing(["ensurepip"], on_debian=True)

    assert advice.endswith(f"sudo apt install python3.{sys.version_info[1]}-venv")
    assert "\n" not in advice


@pytest.mark.parametrize(("arguments", "status"), [([], 2), (["--help"], 0), (["dance"], 2)])
def test_without_a_verb_it_says_what_it_can_do(arguments: list[str], status: int) -> None:
    done = subprocess.run([sys.executable, run.__file__, *arguments], capture_output=True, text=True, check=False)

    assert done.returncode == status
    assert all(f"run.py {verb}" in done.stdout for verb in run.VERBS)


def test_check_takes_no_other_option_than_full(capsys: pytest.CaptureFixture[str]) -> None:
    status = run.main(["check", "--fast"])

    assert status == 1
    assert "--fast" in capsys.readouterr().err


def test_check_says_what_it_takes_instead_of_refusing_to(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = run.main(["check", "--help"])

    assert (status, "check [--full]" in capsys.readouterr().out) == (0, True)
    assert not (house / ".venv" / "heliograph.json").exists(), "nothing is installed for that"
