"""From a template and values to a page: language, layout and the headers that keep a page harmless."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gateway.localization.catalogs import CatalogLibrary
from gateway.localization.locales import direction, to_tag
from gateway.ports import Clock
from gateway.web.pages.reader import Reader, accepted_languages, make_reader

TEMPLATES: Final = Path(__file__).resolve().parent / "templates"
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # What a page shows is someone's mail: nothing of it stays in a shared cache or in the browser's.
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """One entry of the menu of languages."""

    tag: str
    name: str
    """In its own words."""
    direction: str
    url: str
    is_current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the layout knows of the request that it answers."""

    path: str
    """As it came, percent-encoded."""
    query: tuple[tuple[str, str], ...]
    chosen_language: str | None
    """The tag in `?lang=`; every link of the page carries it on."""
    languages: tuple[Language, ...]

    @property
    def section(self) -> str:
        """The first part of the path: which entry of the menu is the present one."""
        return self.path.split("/")[1]

    @property
    def cursor(self) -> str | None:
        """Where in a list it stands; None on its first page."""
        return next((value for name, value in self.query if name == "cursor"), None)

    def url(self, path: str, /, **changes: str | None) -> str:
        """A link to another page, in the language that was chosen for this one."""
        return _url(path, tuple((name, value) for name, value in changes.items() if value), self.chosen_language)

    def here(self, /, **changes: str | None) -> str:
        """A link to this page with some of its query changed; None takes a parameter away."""
        kept = tuple(pair for pair in self.query if pair[0] not in changes)
        added = tuple((name, value) for name, value in changes.items() if value and name != "lang")
        return _url(self.path, kept + added, changes.get("lang", self.chosen_language))


def _url(path: str, query: tuple[tuple[str, str], ...], language: str | None) -> str:
    pairs = query + ((("lang", language),) if language else ())
    return f"{path}?{urlencode(pairs)}" if pairs else path


class Pages:
    """Renders pages: own environment, autoescaped and strict, with the reader's words put in at rendering."""

    def __init__(self, *, catalogs: CatalogLibrary, clock: Clock, timezone: str) -> None:
        self._catalogs = catalogs
        self._clock = clock
        self._timezone = timezone
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            extensions=["jinja2.ext.i18n"],
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.policies["ext.i18n.trimmed"] = True
        # The callables are given at each rendering (Reader.words); this flag makes `{% trans %}` pass its values on.
        self._environment.newstyle_gettext = True  # type: ignore[attr-defined]

    def reader(self, request: web.Request, *wishes: str | None) -> Reader:
        """The reader's language: `?lang=`, then `wishes` (None is passed over), then what the browser accepts."""
        first = (request.query.get("lang"), *wishes)
        accepted = accepted_languages(request.headers.get("Accept-Language", ""))
        tags = (*(wish for wish in first if wish), *accepted)
        return make_reader(tags, self._catalogs.snapshot, self._timezone, self._clock.now())

    def respond(
        self, request: web.Request, template: str, *, status: int = 200, reader: Reader | None = None, **values: object
    ) -> web.Response:
        """Render a page in the reader's language, with its headers."""
        reader = reader or self.reader(request)
        html = self._environment.get_template(template).render(
            {
                **reader.words(),
                "page": self._page(request, reader),
                "reader": reader,
                "formats": reader.formats,
                "timezone": self._timezone,
                **values,
            }
        )
        headers = {**HEADERS, "Content-Language": reader.tag, "Vary": "Accept-Language"}
        return web.Response(text=html, status=status, content_type="text/html", charset="utf-8", headers=headers)

    def _page(self, request: web.Request, reader: Reader) -> Page:
        query = tuple((name, value) for name, value in request.query.items() if name != "lang")
        snapshot = self._catalogs.snapshot
        offered = sorted({*snapshot.offered, snapshot.default}, key=to_tag)
        languages = tuple(
            Language(
                tag=to_tag(locale),
                name=locale.get_display_name(locale) or to_tag(locale),
                direction=direction(locale),
                url=_url(request.rel_url.raw_path, query, to_tag(locale)),
                is_current=locale == reader.locale,
            )
            for locale in offered
        )
        chosen = reader.tag if "lang" in request.query else None
        return Page(path=request.rel_url.raw_path, query=query, chosen_language=chosen, languages=languages)
