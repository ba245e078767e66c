"""The locks: whole, pinned by hash, and silent about where packages come from."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def pins(lock: Path) -> dict[str, set[str]]:
    """Every pinned version by name; a name may have one for each Python or platform."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==(\S+)", lock.read_text(encoding="utf-8"), flags=re.MULTILINE):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


def wanted() -> list[tuple[str, str]]:
    """Each requirement of pyproject.toml with each lock that must satisfy it."""
    groups, runtime = PYPROJECT["dependency-groups"], PYPROJECT["project"]["dependencies"]
    tools = [*groups["test"], *groups["dev"]]
    return [("runtime", text) for text in runtime] + [("dev", text) for text in [*runtime, *tools]]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_names_no_index_and_no_place(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")

    assert not re.search(r"://|^\s*-(?!-hash=sha256:)|\s@\s", text, flags=re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_pin_of_a_lock_has_a_hash(lock: Path) -> None:
    blocks = re.split(r"\n(?=\S)", lock.read_text(encoding="utf-8").strip())

    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize(("lock", "text"), wanted(), ids=str)
def test_a_lock_satisfies_what_pyproject_asks_for(lock: str, text: str) -> None:
    requirement = Requirement(text)

    versions = pins(ROOT / "requirements" / f"{lock}.txt").get(canonicalize_name(requirement.name), set())

    assert versions
    assert all(requirement.specifier.contains(version) for version in versions)


def test_the_runtime_lock_is_a_part_of_the_dev_lock() -> None:
    runtime, dev = (pins(ROOT / "requirements" / f"{name}.txt") for name in ("runtime", "dev"))

    assert {name: versions for name, versions in runtime.items() if dev.get(name) != versions} == {}
