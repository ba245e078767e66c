"""Kinds of providers that other distributions bring: found by entry points, checked by models of their own."""

import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gateway.bootstrap.connections import open_providers
from gateway.configuration import load_settings
from gateway.errors import ConfigurationError
from gateway.settings import Settings
from tests.contract.test_providers import MemoryMailbox, WallClock

MODULE = """
from pydantic import SecretStr
from providers.base import Capabilities, Channel, ProviderKind, ProviderSection

class Section(ProviderSection):
    api_key: SecretStr
    wings: int = 2

class Pigeon:
    def __init__(self, name, section, opening):
        self.name, self.section, self.opening = name, section, opening
    async def aclose(self):
        pass

PIGEON = ProviderKind(section=Section, capabilities=Capabilities(channels=frozenset({Channel.SMS})), open=Pigeon)
"""
ENTRIES = """
[heliograph.providers]
pigeon = pigeon_loft:PIGEON
twilio = pigeon_loft:PIGEON
half = pigeon_loft:Section
lost = pigeon_lost:PIGEON
"""
ACCOUNT = '[providers.main]\nkind = "pigeon"\napi_key = {env = "KEY"}\nfrom = "Shop"\n'


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution is installed that brings kinds."""
    site = tmp_path / "site"
    (site / "pigeon_loft-1.0.dist-info").mkdir(parents=True)
    (site / "pigeon_loft.py").write_text(MODULE)
    (site / "pigeon_loft-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: pigeon-loft\n")
    (site / "pigeon_loft-1.0.dist-info" / "entry_points.txt").write_text(ENTRIES)
    monkeypatch.syspath_prepend(site)
    monkeypatch.delitem(sys.modules, "pigeon_loft", raising=False)


def load(folder: Path, text: str, **environ: str) -> Settings:
    (folder / "heliograph.toml").write_text(text)
    return load_settings({"KEY": "the-key", **environ}, folder).settings


async def test_an_installed_kind_is_opened_with_its_own_settings(tmp_path: Path) -> None:
    text = f'[server]\npublic_url = "https://gateway.example/"\n{ACCOUNT}'
    settings = load(tmp_path, text, HELIOGRAPH_PROVIDERS_MAIN_WINGS="4")

    async with AsyncExitStack() as stack:
        opened = await open_providers(
            settings, MemoryMailbox(), WallClock(), stack, (), together=False, webhook_secret="0" * 32
        )

        pigeon = opened["main"]
        assert (pigeon.section.wings, pigeon.section.sender) == (4, "Shop")  # type: ignore[attr-defined]
        assert pigeon.section.api_key.get_secret_value() == "the-key"  # type: ignore[attr-defined]
        assert pigeon.opening.webhook_url == "https://gateway.example/webhooks/main"  # type: ignore[attr-defined]
        assert "the-key" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(f"{ACCOUNT}beak = 1\n", r"toml:5: providers\.main\.beak: there is no such setting", id="key"),
        pytest.param(f'{ACCOUNT}wings = "two"\n', r"toml:5: providers\.main\.wings: .*integer", id="value"),
        pytest.param('[providers.main]\nkind = "pigeon"\n', r"toml:1: providers\.main\.api_key: .*required", id="none"),
        pytest.param('[providers.main]\nkind = "half"\n', r"toml:2: .*'half' that pigeon-loft .*no Prov", id="half"),
        pytest.param('[providers.main]\nkind = "lost"\n', r"'lost' that pigeon-loft brings .*imported", id="lost"),
        pytest.param('[providers.main]\nkind = "owl"\n', r"no kind 'owl', only .*'pigeon', .*'twilio'", id="unknown"),
    ],
)
def test_what_is_wrong_with_it_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        load(tmp_path, text)


def test_none_is_imported_that_no_account_names_and_none_takes_the_place_of_ours(tmp_path: Path) -> None:
    settings = load(tmp_path, '[providers.main]\nkind = "twilio"\naccount_sid = "AC1"\nauth_token = "t"\n')

    assert type(settings.providers["main"]).__module__ == "gateway.settings.providers"
    assert "pigeon_loft" not in sys.modules
