"""The docs say what the code says: links lead somewhere, and what is listed is complete."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from gateway import errors
from gateway.cli.main import ENTRIES, load_command
from gateway.cli.packs import line_cells
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.rule_tables import WrongRules, parse_rules
from gateway.policy.packs.reading import load_packs
from gateway.settings import OverrideSettings, ProviderSettings, RouteSettings, Section, Settings
from gateway.settings.sender import PostalAddressSettings
from gateway.settings.spending import ComplaintSettings, SpendingLimitSettings
from gateway.web.problems import STATUSES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))

    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_into_a_page_leads_to_a_heading(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text(encoding="utf-8"))

    assert [link for link in links if link[1] not in anchors(page.parent / link[0] if link[0] else page)] == []


def test_every_decision_is_in_the_list() -> None:
    index = (DOCS / "decisions" / "index.md").read_text(encoding="utf-8")

    assert [record.name for record in DOCS.glob("decisions/0*.md") if f"({record.name})" not in index] == []


def test_every_status_is_explained() -> None:
    assert listed("statuses.md") == set(DeliveryStatus)


def test_every_error_code_is_explained_with_its_status() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", page_text("errors.md"), flags=re.MULTILINE)
    ours = {
        found.code
        for found in vars(errors).values()
        if isinstance(found, type) and issubclass(found, errors.GatewayError)
    }

    assert {code: int(status) for code, status in rows} == dict(STATUSES)
    assert ours - {errors.GatewayError.code} <= listed("errors.md")


def test_every_command_is_explained() -> None:
    commands = {
        f"{name} {inner}" if inner else name
        for name in ENTRIES
        for inner in getattr(load_command(name), "commands", {"": None})
    }

    assert listed("command-line.md") == commands


def test_every_setting_is_explained() -> None:
    sections = {
        name: model.annotation
        for name, model in Settings.model_fields.items()
        if isinstance(model.annotation, type) and issubclass(model.annotation, Section)
    }
    expected = {f"[{name}].{key}" for name, section in sections.items() for key in keys(section)}
    expected |= {f"[[routes]].{key}" for key in keys(RouteSettings)}
    expected |= {f"[[policy.overrides]].{key}" for key in keys(OverrideSettings)}
    expected |= {f"[[spending.limits]].{key}" for key in keys(SpendingLimitSettings)}
    expected |= {f"[spending.complaints].{key}" for key in keys(ComplaintSettings)}
    expected |= {f"[[sender.postal_addresses]].{key}" for key in keys(PostalAddressSettings)}
    expected |= {f"[[{kind}]].{key}" for kind in ("quiet_hours", "frequency_caps") for key in rule_keys(kind)}
    kinds = get_args(ProviderSettings)
    expected |= {f"[providers.<name>].{key}" for kind in kinds for key in keys(kind)}

    assert listed_settings() == expected - {"[providers.<name>].kind"}


def test_every_rule_of_a_country_pack_is_listed_as_it_is() -> None:
    rows = [
        "| `{}` | {} | {} | {} | {} |".format(*line_cells(line))
        for pack in load_packs().values()
        for line in pack.lines
    ]

    assert [row for row in rows if row not in page_text("packs.md")] == []
    assert len(listed("packs.md")) == len(rows)


def test_every_check_of_catalogs_is_explained() -> None:
    sources = [*(ROOT / "gateway" / "localization").glob("*.py")]
    calls = re.compile(r'(?:_error|_warning)\(\s*"([a-z-]+)"|check="([a-z-]+)"|_file_finding\([^"]*"([a-z-]+)"')
    raised = {name for path in sources for names in calls.findall(path.read_text(encoding="utf-8")) for name in names}

    assert raised - {""} <= listed("catalog-checks.md")


def rule_keys(kind: str) -> list[str]:
    """The keys that its reader names to somebody who wrote another one."""
    with pytest.raises(WrongRules) as refused:
        parse_rules({kind: [{"other": 1}]}, "settings")
    told = next(one.message for one in refused.value.problems if one.code == "unknown_key")
    return re.findall(r"\w+", told.partition("there are")[2])


def listed(page: str) -> set[str]:
    """The words in the first column of the tables of a reference page."""
    rows = re.findall(r"^\| (`[^|]+`) \|", page_text(page), flags=re.MULTILINE)
    return {word for row in rows for word in re.findall(r"`([^`]+)`", row)}


def page_text(page: str) -> str:
    return (DOCS / "reference" / page).read_text(encoding="utf-8")


def listed_settings() -> set[str]:
    """`[section].key` for each key in the first column of the tables."""
    section, found = "", set()
    for line in page_text("settings.md").splitlines():
        if header := re.match(r"## `(.+)`", line):
            section = header[1]
        elif row := re.match(r"\| (`[^|]+`) \|", line):
            found |= {f"{section}.{key}" for key in re.findall(r"`([^`]+)`", row[1])}
    return found


def keys(section: type[BaseModel]) -> Iterator[str]:
    for name, model in section.model_fields.items():
        yield model.alias or name


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
