"""In which language a word is answered."""

import pytest

from gateway.delivery.people.reply_language import reply_locale


@pytest.mark.parametrize(
    ("languages", "known", "country", "expected"),
    [
        pytest.param((), "fr-CA", "US", "fr-CA", id="a word of the world, to who reads French"),
        pytest.param((), None, "BR", "pt-BR", id="a stranger's, by the country of the number"),
        pytest.param((), None, None, None, id="nothing tells"),
        pytest.param(("zh",), "zh-Hant", "TW", "zh-Hant", id="the word is of the person's own language"),
        pytest.param(("es",), "en", "US", "es", id="the word is of another language"),
        pytest.param(("zh",), None, "TW", "zh-TW", id="the word is of the country's language"),
        pytest.param(("de", "sv"), None, "SE", "sv-SE", id="of several the country's"),
        pytest.param(("de", "sv"), "sv", "DE", "sv", id="of several the person's"),
        pytest.param(("he",), "xx-broken-", "FR", "he", id="a locale that is none"),
        pytest.param((), None, "ZZ", "en-ZZ", id="a country of no language"),
    ],
)
def test_the_reply_is_in(languages: tuple[str, ...], known: str | None, country: str | None, expected: str) -> None:
    assert reply_locale(languages, known, country) == expected
