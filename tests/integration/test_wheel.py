"""What a team gets that installs the wheel instead of cloning."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel of this checkout is installed, without its dependencies and without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    python("-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder / "dist"), cwd=ROOT)
    (wheel,) = (folder / "dist").glob("heliograph-*.whl")
    site_packages = folder / "site-packages"
    python("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site_packages), str(wheel))
    return site_packages


def test_an_installed_wheel_finds_its_templates_and_translations(installed: Path) -> None:
    program = "from gateway import resources as r; print(r.shipped_templates(), r.shipped_translations(), sep='\\n')"

    templates, translations = map(Path, python("-P", "-c", program, path=installed).splitlines())

    assert templates.is_relative_to(installed)
    assert (templates / "order-shipped" / "template.toml").is_file()
    assert (translations / "fr" / "LC_MESSAGES" / "messages.po").is_file()


def test_an_installed_wheel_carries_every_shipped_file(installed: Path) -> None:
    shipped = [
        str(path.relative_to(ROOT))
        for folder in ("gateway", "providers", "templates", "translations")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".mo"
    ]

    missing = [name for name in shipped if not (installed / in_wheel(name)).is_file()]

    assert missing == []


def test_an_installed_wheel_knows_its_version_and_its_command(installed: Path) -> None:
    program = "from gateway import resources; print(resources.version())"

    version = python("-P", "-c", program, path=installed).strip()

    assert (installed / f"heliograph-{version}.dist-info" / "licenses" / "LICENSE").is_file()
    assert (installed / "bin" / "heliograph").is_file()


def in_wheel(name: str) -> str:
    return f"gateway/_data/{name}" if name.startswith(("templates/", "translations/")) else name


def python(*arguments: str, cwd: Path | None = None, path: Path | str | None = None) -> str:
    """Run this Python and return what it printed; `path` is looked through first for packages."""
    env = os.environ | ({"PYTHONPATH": str(path)} if path else {})
    done = subprocess.run([sys.executable, *arguments], cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
