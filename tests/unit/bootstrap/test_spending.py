"""What `[spending]` and `[sender]` mean, and what of them is refused with its place."""

from pathlib import Path

import pytest

from gateway.bootstrap.spending import make_spending
from gateway.configuration import load_settings
from gateway.delivery.dispatching.spending import NO_SPENDING
from gateway.domain.rules import Calendar
from gateway.errors import ConfigurationError
from gateway.settings import Settings

LIMIT = '[[spending.limits]]\nname = "texts"\n'


def loaded(folder: Path, text: str, **environ: str) -> Settings:
    (folder / "heliograph.toml").write_text(text, encoding="utf-8")
    return load_settings(environ, folder).settings


def test_without_settings_nothing_is_limited() -> None:
    assert make_spending(Settings()) is NO_SPENDING
    assert not NO_SPENDING


def test_amounts_are_kept_to_the_millionth(tmp_path: Path) -> None:
    text = f'{LIMIT}per = "month"\ncost = "12.5"\n[spending.prices.mailbox]\nFR = "0.000065"\nother = 1'

    spending = make_spending(loaded(tmp_path, text, HELIOGRAPH_SPENDING_COUNTRIES="FR, DE"))

    assert (spending.limits[0].cost, spending.limits[0].per) == (12_500_000, Calendar.MONTH)
    assert spending.prices == {"mailbox": {"FR": 65, "other": 1_000_000}}
    assert spending.countries == frozenset({"FR", "DE"})


def test_a_service_may_send_where_others_may_not(tmp_path: Path) -> None:
    text = '[spending]\ncountries = ["FR"]\n[spending.services.world]\ncountries = "everywhere"'

    spending = make_spending(loaded(tmp_path, text))

    assert (spending.countries, spending.countries_of) == (frozenset({"FR"}), {"world": None})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'{LIMIT}per = "day"\ncost = 1.5', "write the amount as a text"),
        (f'{LIMIT}per = "day"\ncost = "0.0000001"', "more than six decimals"),
        (f'{LIMIT}per = "day"\ncost = "much"', "is no amount"),
        (f'{LIMIT}per = "day"', "give `messages`, `cost` or both"),
        (f'{LIMIT}per = "1s"\nmessages = 1', "from 1m to 366d"),
        (f'{LIMIT}per = "day"\nmessages = 1\n{LIMIT}per = "day"\nmessages = 2', "another limit named 'texts'"),
        ('[spending.prices.nobody]\nFR = "1"', "there is no provider 'nobody'"),
        ('[spending.prices.mailbox]\nFrance = "1"', "spending.prices.mailbox.France"),
        ('[spending]\ncountries = ["France"]', "or country codes"),
        ('[sender]\npostal_address = "a\\u0000b"', "sender.postal_address"),
    ],
)
def test_what_cannot_be_meant_stops_the_start(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        make_spending(loaded(tmp_path, text))
