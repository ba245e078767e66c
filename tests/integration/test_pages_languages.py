"""Pages speak the reader's language, from the start of the document to its dates."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from gateway.web.pages.environment import Pages
from tests.page_stores import MemoryLog
from tests.pages import Html, make_console, make_pages

Client = Callable[[Any], Awaitable[TestClient[Any, Any]]]
LOCALES = {
    "en": "ltr",
    "fr": "ltr",
    "fr-CA": "ltr",
    "de": "ltr",
    "es": "ltr",
    "pt-BR": "ltr",
    "it": "ltr",
    "pl": "ltr",
    "ru": "ltr",
    "ar": "rtl",
    "he": "rtl",
    "ja": "ltr",
    "zh-Hans": "ltr",
    "zh-Hant": "ltr",
}


async def read(client: TestClient[Any, Any], path: str, accept: str = "") -> Html:
    async with client.get(path, headers={"Accept-Language": accept}) as response:
        assert response.status == 200
        return Html(await response.text())


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("path", ["/log", "/mailbox"])
async def test_every_shipped_language_has_its_pages(aiohttp_client: Client, locale: str, path: str) -> None:
    client = await aiohttp_client(await make_console())

    page = await read(client, f"{path}?lang={locale}")

    assert (page.one("html").attributes["lang"], page.one("html").attributes["dir"]) == (locale, LOCALES[locale])
    assert list(page.dangers()) == []
    if locale != "en":
        assert "Delivery log" not in page.source


@pytest.mark.parametrize(
    ("accept", "lang", "expected"),
    [
        ("de-AT,en;q=0.5", "", "de"),
        ("en;q=0.3, ja;q=0.9", "", "ja"),
        ("zh-HK", "", "zh-Hant"),
        ("tlh, *;q=0.1", "", "en"),
        ("de", "?lang=ar", "ar"),
        ("de", "?lang=nonsense", "de"),
        ("de;q=0, fr;q=bad, he", "", "he"),
        ("", "", "en"),
    ],
)
async def test_the_language_is_asked_for_by_link_or_by_browser(
    aiohttp_client: Client, accept: str, lang: str, expected: str
) -> None:
    client = await aiohttp_client(await make_console())

    page = await read(client, f"/log{lang}", accept)

    assert page.one("html").attributes["lang"] == expected


async def test_a_chosen_language_stays_on_every_link(aiohttp_client: Client) -> None:
    client = await aiohttp_client(await make_console(MemoryLog()))

    page = await read(client, "/log?lang=ar&status=sent")

    own = [link for link in page.links() if link.startswith(("/log", "/mailbox")) and "lang=" not in link]
    hidden = {element.attributes.get("name"): element.attributes.get("value") for element in page.all("input")}
    assert own == []
    assert hidden["lang"] == "ar"


async def test_the_menu_names_each_language_in_its_own_words(aiohttp_client: Client) -> None:
    client = await aiohttp_client(await make_console())

    page = await read(client, "/log?status=sent")

    names = {link.attributes["hreflang"]: link.text for link in page.all("a") if "hreflang" in link.attributes}
    assert set(names) == set(LOCALES)
    assert (names["de"], names["ar"], names["ja"]) == ("Deutsch", "العربية", "日本語")


async def test_a_string_of_a_page_is_never_markup() -> None:
    pages: Pages = await make_pages()
    catalog = pages._catalogs.snapshot

    assert not [
        text
        for locale in catalog.offered
        for text in catalog.catalog(locale).texts.values()
        if isinstance(text, str) and ("<" in text or ">" in text)
    ]
