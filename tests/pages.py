"""Pages for tests: an app over stores in memory, and HTML read back by a parser that runs nothing."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from html.parser import HTMLParser

from aiohttp import web
from babel import Locale

from gateway.localization.catalogs import CatalogLibrary
from gateway.resources import shipped_translations
from gateway.settings import Settings
from gateway.web.console.routes import console_routes
from gateway.web.pages.environment import Pages
from tests.fakes import SetClock
from tests.page_stores import MemoryAudit, MemoryEngagements, MemoryLog, MemoryMailbox

_VOID = {"meta", "link", "input", "br", "img", "rect", "path", "circle"}


@dataclass
class Element:
    """One start tag with its attributes and the text inside."""

    tag: str
    attributes: dict[str, str | None]
    text: str = ""


@dataclass
class Html(HTMLParser):
    """A page taken apart."""

    source: str
    elements: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[Element] = []
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self.elements.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop().tag != tag:
            pass

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, tag: str) -> list[Element]:
        """Every element of that name, in order."""
        return [element for element in self.elements if element.tag == tag]

    def one(self, tag: str) -> Element:
        """The first of them."""
        return self.all(tag)[0]

    def links(self) -> list[str]:
        """Where the page's links lead."""
        return [element.attributes.get("href") or "" for element in self.all("a")]

    def dangers(self) -> Iterable[str]:
        """Whatever could run or load something: there must be nothing of it."""
        for element in self.elements:
            if element.tag in {"script", "style", "object", "embed", "base"}:
                yield f"<{element.tag}>"
            for name, value in element.attributes.items():
                if name.startswith("on") or name in {"style", "srcdoc"}:
                    yield f"{element.tag} {name}={value}"
                if name in {"href", "src", "action"} and not (value or "").startswith(
                    ("/", "#", "http://", "https://")
                ):
                    yield f"{element.tag} {name}={value}"


async def make_pages(settings: Settings | None = None) -> Pages:
    """The pages' environment with the shipped catalogs."""
    catalogs = CatalogLibrary(shipped_translations(), "console", default=Locale("en"))
    await catalogs.refresh()
    return Pages(catalogs=catalogs, clock=SetClock(), timezone=(settings or Settings()).policy.default_timezone)


async def make_console(
    log: MemoryLog | None = None,
    mailbox: MemoryMailbox | None = None,
    settings: Settings | None = None,
    audit: MemoryAudit | None = None,
    engagements: MemoryEngagements | None = None,
) -> web.Application:
    """The console alone."""
    settings = settings or Settings()
    app = web.Application()
    app.add_routes(
        console_routes(
            pages=await make_pages(settings),
            settings=settings,
            log=log or MemoryLog(),
            engagements=engagements or MemoryEngagements(),
            mailbox=mailbox or MemoryMailbox(),
            audit=audit or MemoryAudit(),
            clock=SetClock(),
        )
    )
    return app
