"""Every shipped template in every locale with every set of sample data on every channel."""

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from babel import Locale
from markupsafe import escape

from gateway.domain.messages import Content, EmailContent, PushContent, SmsContent
from gateway.domain.push_payloads import LIMITS, payload
from gateway.domain.recipients import Channel
from gateway.localization.catalogs import CatalogLibrary
from gateway.localization.locales import direction, to_tag
from gateway.rendering.email import build_mime
from gateway.rendering.registry import TemplateLibrary
from gateway.rendering.renderer import Renderer, RenderInput
from gateway.rendering.templates import Template

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ADDRESS = ("Example & Sons <Paris>", "1 rue de la Paix, 75002 Paris")
LOCALES = ["en", "fr", "fr-CA", "de", "es", "pt-BR", "it", "pl", "ru", "ar", "he", "ja", "zh-Hans", "zh-Hant"]
TEMPLATES = sorted(path.parent.name for path in ROOT.glob("templates/*/template.toml"))
UNFORMATTED = re.compile(r"%\(|\{\{|\{%|None|Undefined|<built-in|&amp;amp;|&lt;bdi")


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    default = Locale("en")
    templates = TemplateLibrary(ROOT / "templates", default=default)
    catalogs = CatalogLibrary(ROOT / "translations", default=default)

    async def load() -> None:
        await templates.refresh()
        await catalogs.refresh()

    asyncio.run(load())
    assert not templates.snapshot.broken
    assert not catalogs.snapshot.broken
    return Renderer(templates, catalogs)


def texts_of(content: Content) -> Iterator[str]:
    match content:
        case EmailContent():
            yield from (content.subject, content.preheader, content.html, content.text)
        case SmsContent():
            yield content.text
        case PushContent():
            yield from (content.title, content.body, content.action or "")


def check(content: Content, template: Template, tag: str) -> None:
    for text in texts_of(content):
        assert not UNFORMATTED.search(text), text
    match content:
        case EmailContent():
            check_email(content, tag)
        case SmsContent():
            assert template.sms_max_segments is not None
            assert content.segments <= template.sms_max_segments, content.text
        case PushContent():
            assert "\n" not in content.title
            assert all(len(payload(content, platform)) <= limit for platform, limit in LIMITS.items())


def check_email(content: EmailContent, tag: str) -> None:
    direction_of = direction(Locale.parse(tag, sep="-"))
    assert len(content.subject.splitlines()) == 1
    assert len(re.findall(f'<html[^>]* lang="{tag}" dir="{direction_of}"', content.html)) == 1
    assert len(re.findall(f'<div[^>]* lang="{tag}" dir="{direction_of}"', content.html)) == 1
    shown = [f"<bdi>{line}</bdi>" if direction_of == "rtl" else line for line in map(escape, ADDRESS)]
    assert f"<br>{shown[0]}<br>{shown[1]}" in content.html
    assert [line.strip("\u2068\u2069") for line in content.text.splitlines()[-2:]] == [*ADDRESS]
    assert content.text.count("\u2068") == content.text.count("\u2069")
    assert ("\u2068" in content.subject + content.text) <= (direction_of == "rtl")
    assert "<style>" in content.html
    assert "prefers-color-scheme: dark" in content.html
    mime = build_mime(
        content, sender="Shop <s@example.org>", to="a@example.org", message_id="<d@x>", date=NOW, boundary_seed="d"
    )
    assert mime.isascii()


@pytest.mark.parametrize("tag", LOCALES)
@pytest.mark.parametrize("name", TEMPLATES)
def test_every_sample_renders_whole_in_its_language(renderer: Renderer, name: str, tag: str) -> None:
    pin = renderer.pin()
    template = pin.templates.template(name)
    resolution = renderer.resolve(pin, template, template.channels, tag)
    assert resolution.resolved == tag, resolution.missing

    for channel in template.channels:
        for sample in template.samples.values():
            given = RenderInput(
                data=sample,
                recipient={"id": "user-42", "locale": tag},
                timezone="America/Toronto",
                now=NOW,
                unsubscribe_url="https://example.org/u/token",
                preferences_url="https://example.org/u/token",
                postal_address=ADDRESS,
            )
            content = renderer.render(pin, template, channel, resolution, given)
            assert content.locale == tag
            check(content, template, tag)


def test_the_locales_are_those_that_ship(renderer: Renderer) -> None:
    assert sorted(map(to_tag, renderer.pin().catalogs.offered)) == sorted(LOCALES)
    assert set(Channel) == {
        channel for name in TEMPLATES for channel in renderer.pin().templates.template(name).channels
    }
