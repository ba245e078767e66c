"""Templates and catalogs written for one test, rendered as the gateway renders."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from babel import Locale

from gateway.domain.messages import Content
from gateway.domain.recipients import Channel
from gateway.localization.catalogs import CatalogLibrary
from gateway.localization.plurals import cldr_header
from gateway.rendering.registry import TemplateLibrary
from gateway.rendering.renderer import Fallback, LocaleResolution, Renderer, RenderInput

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LINK = "https://example.org/u/token"

MANIFEST = """
description = "A template for tests"
category = "transactional"
topic = "orders"
channels = [{channels}]
[variables]
{variables}
[samples.usual]
{sample}
{more}
"""


def manifest(
    variables: str = "", sample: str = "", *, channels: str = '"sms"', more: str = "", category: str = "transactional"
) -> str:
    """A `template.toml`."""
    text = MANIFEST.format(channels=channels, variables=variables, sample=sample, more=more)
    return text.replace('"transactional"', f'"{category}"')


def po(tag: str, texts: Mapping[str, str | list[str]], *, plurals: Mapping[str, str] | None = None) -> str:
    """A PO file: msgid → msgstr, or msgid → forms with the plural msgid in `plurals`; `ctx|msgid` has a context."""
    header = cldr_header(Locale.parse(tag))
    lines = [f'msgid ""\nmsgstr ""\n"Language: {tag}\\n"\n"Plural-Forms: {header}\\n"\n']
    lines.append('"MIME-Version: 1.0\\n"\n"Content-Type: text/plain; charset=UTF-8\\n"\n')
    for key, text in texts.items():
        context, _, msgid = key.rpartition("|")
        lines.append("\n" + (f"msgctxt {_quoted(context)}\n" if context else "") + f"msgid {_quoted(msgid)}\n")
        if isinstance(text, str):
            lines.append(f"msgstr {_quoted(text)}\n")
            continue
        lines.append(f"msgid_plural {_quoted((plurals or {})[key])}\n")
        lines += [f"msgstr[{index}] {_quoted(form)}\n" for index, form in enumerate(text)]
    return "".join(lines)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


@dataclass
class Workbench:
    """A folder of templates and one of catalogs, with the renderer over both."""

    root: Path
    default: str = "en"
    fallbacks: list[Fallback] = field(default_factory=list)

    def __post_init__(self) -> None:
        locale = Locale.parse(self.default)
        (self.root / "templates").mkdir(exist_ok=True)
        (self.root / "translations").mkdir(exist_ok=True)
        self.templates = TemplateLibrary(self.root / "templates", default=locale)
        self.catalogs = CatalogLibrary(self.root / "translations", default=locale)
        self.renderer = Renderer(self.templates, self.catalogs, self.fallbacks.append)

    def write(self, path: str, text: str) -> None:
        """Write one file below `templates`."""
        file = self.root / "templates" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def translate(self, tag: str, texts: Mapping[str, Any], plurals: Mapping[str, str] | None = None) -> None:
        """Write the catalog of a locale (POSIX spelling)."""
        file = self.root / "translations" / tag / "LC_MESSAGES" / "messages.po"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(po(tag, texts, plurals=plurals), encoding="utf-8")

    def sms(self, body: str, variables: str = "", sample: str = "", *, name: str = "note", more: str = "") -> None:
        """Write a template with an SMS alone."""
        self.write(f"{name}/template.toml", manifest(variables, sample, more=more))
        self.write(f"{name}/sms/body.txt", body)

    def email(
        self,
        html: str,
        variables: str = "",
        sample: str = "",
        *,
        subject: str = "Subject",
        text: str | None = "Text",
        category: str = "transactional",
    ) -> None:
        """Write a template with an e-mail alone."""
        self.write("note/template.toml", manifest(variables, sample, channels='"email"', category=category))
        self.write("note/email/subject.txt", subject)
        self.write("note/email/body.html", html)
        if text is not None:
            self.write("note/email/body.txt", text)

    def load(self) -> None:
        """Take up what is on disk."""

        async def refresh() -> None:
            await self.templates.refresh()
            await self.catalogs.refresh()

        asyncio.run(refresh())

    def problem(self, name: str = "note") -> str:
        """Why the template on disk was refused."""
        self.load()
        return self.templates.snapshot.broken[name]

    def resolve(self, tag: str | None, *, name: str = "note") -> LocaleResolution:
        """The language of a message on all channels of a template."""
        pin = self.renderer.pin()
        template = pin.templates.template(name)
        return self.renderer.resolve(pin, template, template.channels, tag)

    def render(
        self,
        data: Mapping[str, Any] | None = None,
        tag: str | None = None,
        *,
        channel: Channel = Channel.SMS,
        name: str = "note",
        recipient: Mapping[str, Any] | None = None,
        timezone: str = "UTC",
    ) -> Content:
        """The content of one channel."""
        self.load()
        pin = self.renderer.pin()
        assert not pin.templates.broken, pin.templates.broken
        template = pin.templates.template(name)
        resolution = self.renderer.resolve(pin, template, template.channels, tag)
        given = RenderInput(
            data=data if data is not None else template.samples["usual"],
            recipient=recipient or {},
            timezone=timezone,
            now=NOW,
            unsubscribe_url=LINK,
            preferences_url=LINK,
        )
        return self.renderer.render(pin, template, channel, resolution, given)

    def text(self, data: Mapping[str, Any] | None = None, tag: str | None = None, **options: Any) -> str:
        """The text of an SMS."""
        text: str = self.render(data, tag, **options).text  # type: ignore[union-attr]
        return text

    def html(self, data: Mapping[str, Any] | None = None, tag: str | None = None, **options: Any) -> str:
        """The HTML of an e-mail."""
        html: str = self.render(data, tag, channel=Channel.EMAIL, **options).html  # type: ignore[union-attr]
        return html
