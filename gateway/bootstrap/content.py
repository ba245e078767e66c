"""Templates and catalogs, loaded and watched."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from babel import Locale

from gateway.errors import ConfigurationError
from gateway.localization.catalogs import CatalogLibrary
from gateway.localization.locales import UnknownLocale, parse_locale
from gateway.metrics import Metrics
from gateway.rendering.registry import TemplateLibrary
from gateway.resources import shipped_templates, shipped_translations
from gateway.settings import Settings
from gateway.work.content import ContentWatcher, Watched

_PAGES: Final = "console"
"""The gettext domain of the pages, which are ours and in English at the source whatever a team's own texts are in."""


async def open_content(
    settings: Settings, metrics: Metrics, stack: AsyncExitStack
) -> tuple[TemplateLibrary, CatalogLibrary, CatalogLibrary]:
    default = _default(settings)
    catalog_root = _folder("content.translations", settings.content.translations or shipped_translations())
    templates = make_templates(settings)
    catalogs = CatalogLibrary(catalog_root, default=default)
    page_catalogs = CatalogLibrary(shipped_translations(), _PAGES, default=Locale("en"))
    watched = (
        Watched("catalogs", catalog_root, catalogs, lambda: catalogs.snapshot.broken, metrics),
        Watched("templates", _template_root(settings), templates, lambda: templates.snapshot.broken, metrics),
        Watched("pages", shipped_translations(), page_catalogs, lambda: page_catalogs.snapshot.broken, metrics),
    )
    await stack.enter_async_context(ContentWatcher(watched, settings.content.refresh))
    return templates, catalogs, page_catalogs


def make_templates(settings: Settings) -> TemplateLibrary:
    """The library of the templates that the settings name, not yet read."""
    return TemplateLibrary(_template_root(settings), default=_default(settings))


def _template_root(settings: Settings) -> Path:
    return _folder("content.templates", settings.content.templates or shipped_templates())


def _default(settings: Settings) -> Locale:
    try:
        return parse_locale(settings.locales.default)
    except UnknownLocale as error:
        raise ConfigurationError(f"locales.default: {error}") from error


def _folder(key: str, path: Path) -> Path:
    if not path.is_dir():
        raise ConfigurationError(f"{key}: there is no folder {path}")
    return path
