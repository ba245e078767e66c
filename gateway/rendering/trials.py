"""A new version of a template, tried with its own sample data before it serves."""

from datetime import UTC, datetime
from typing import Final

from babel import Locale

from gateway.errors import RenderFailed, TemplateBroken
from gateway.localization.locales import to_tag
from gateway.localization.snapshots import Catalog
from gateway.rendering.localizing import Language
from gateway.rendering.templates import Template
from gateway.rendering.typesetting import RenderInput, Typesetter

_NOW: Final = datetime(2026, 1, 15, 12, tzinfo=UTC)
_LINK: Final = "https://example.org/u/sample"
_ADDRESS: Final = ("1 Sample Street", "Sampleton")


def source_language(default: Locale) -> Language:
    """The default locale, without a catalog: every string stands for itself."""
    catalog = Catalog(locale=default, tag=to_tag(default), version="", is_source=True, texts={})
    return Language(catalog=catalog, locale=default)


def try_samples(template: Template, default: Locale) -> None:
    """Render every sample on every channel, and compile the parts of every locale. Raises TemplateBroken."""
    typesetter = Typesetter()
    language = source_language(default)
    for channel in template.channels:
        for name, sample in template.samples.items() or [("", {})]:
            given = RenderInput(
                data=sample,
                recipient={},
                timezone="UTC",
                now=_NOW,
                unsubscribe_url=_LINK,
                preferences_url=_LINK,
                postal_address=_ADDRESS,
            )
            try:
                typesetter.typeset(template, channel, language, given)
            except RenderFailed as error:
                raise TemplateBroken(f"with sample {name!r}: {error.message}", part=channel) from error
        for locale in template.variants:
            typesetter.compiled(template, channel, Language(catalog=language.catalog, locale=locale))
