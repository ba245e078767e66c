"""Where the files that ship with Heliograph lie: beside the packages in a checkout, inside the wheel elsewhere."""

import tomllib
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from gateway.errors import ConfigurationError

PACKAGE = Path(__file__).resolve().parent


def shipped_templates(package: Path = PACKAGE) -> Path:
    """The folder of the templates that come with Heliograph; the setting `content.templates` may name another."""
    return _shipped(package) / "templates"


def shipped_translations(package: Path = PACKAGE) -> Path:
    """The folder of their catalogs; the setting `content.translations` may name another."""
    return _shipped(package) / "translations"


def version() -> str:
    """The version of Heliograph that runs here."""
    if _is_checkout(PACKAGE):
        project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        return str(project["version"])
    return metadata.version("heliograph")


def refuse_foreign_providers(package: Path = PACKAGE) -> None:
    """Stop the start where Python finds another package named `providers` than the one beside `gateway`.

    The name is a common one: a stray folder earlier on the path would shadow ours, and a second distribution that
    ships it overwrites ours without a word from pip or uv. Raises ConfigurationError.
    """
    expected = package.parent / "providers"
    spec = find_spec("providers")
    found = Path(spec.origin).resolve().parent if spec and spec.origin else None
    if found != expected:
        raise ConfigurationError(
            f"Python finds the package `providers` in {found or 'no place'}, but Heliograph's own is {expected}: "
            "remove the other one from the path, or run Heliograph in an environment of its own."
        )
    owners = set(metadata.packages_distributions().get("providers", ())) - {"heliograph"}
    if owners:
        raise ConfigurationError(
            f"The distribution {', '.join(sorted(owners))} also installs a package named `providers` and overwrites "
            "Heliograph's: run Heliograph in an environment of its own."
        )


def _shipped(package: Path) -> Path:
    return package.parent if _is_checkout(package) else package / "_data"


def _is_checkout(package: Path) -> bool:
    return (package.parent / "pyproject.toml").is_file()
