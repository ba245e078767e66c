"""Where shipped files lie, and whose `providers` Python finds."""

import os
import subprocess
import sys
from pathlib import Path

import providers
from gateway import resources

ROOT = Path(__file__).parents[2]


def test_a_checkout_serves_its_own_templates_and_translations() -> None:
    assert resources.shipped_templates() == ROOT / "templates"
    assert resources.shipped_translations() == ROOT / "translations"


def test_an_installed_package_serves_the_copies_that_came_with_it(tmp_path: Path) -> None:
    package = tmp_path / "site-packages" / "gateway"

    assert resources.shipped_templates(package) == package / "_data" / "templates"
    assert resources.shipped_translations(package) == package / "_data" / "translations"


def test_the_version_is_that_of_the_project() -> None:
    assert f'version = "{resources.version()}"' in (ROOT / "pyproject.toml").read_text()


def test_our_own_providers_are_let_pass() -> None:
    resources.refuse_foreign_providers()

    assert Path(str(providers.__file__)).parent == ROOT / "providers"


def test_a_foreign_providers_on_the_path_stops_the_start_with_both_places_named(tmp_path: Path) -> None:
    stray = tmp_path / "providers"
    stray.mkdir()
    (stray / "__init__.py").touch()

    message = refusal(tmp_path)

    assert str(stray) in message
    assert str(ROOT / "providers") in message


def test_a_distribution_that_overwrote_our_providers_is_named(tmp_path: Path) -> None:
    installed = tmp_path / "other_mail-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: other-mail\nVersion: 1.0\n")
    (installed / "top_level.txt").write_text("providers\n")

    message = refusal(tmp_path)

    assert "other-mail" in message


def refusal(earlier_on_the_path: Path) -> str:
    """What the guard says in a fresh Python that looks into `earlier_on_the_path` before it looks here."""
    program = (
        "from gateway.errors import ConfigurationError\n"
        "from gateway.resources import refuse_foreign_providers\n"
        "try:\n    refuse_foreign_providers()\n"
        "except ConfigurationError as refusal:\n    print(refusal)"
    )
    path = os.pathsep.join((str(earlier_on_the_path), str(ROOT)))
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout
