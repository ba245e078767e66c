"""The receipt e-mail in French, half of its values never seen before, against a plain sandboxed Jinja2 with Babel."""

import asyncio
import io
import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytz
import structlog
from babel import Locale, dates, lists, numbers
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations
from jinja2 import FileSystemLoader, StrictUndefined, select_autoescape
from jinja2.sandbox import SandboxedEnvironment

from benchmarks import measure
from benchmarks.measure import Effort
from gateway.domain.recipients import Channel
from gateway.localization.catalogs import CatalogLibrary
from gateway.rendering.registry import TemplateLibrary
from gateway.rendering.renderer import Renderer, RenderInput

ROOT = Path(__file__).parent.parent
TAG, ZONE, NOW = "fr", "Europe/Paris", datetime(2026, 11, 22, 12, tzinfo=UTC)
LINK = "https://example.org/u/token"
PARTS = ("email/subject.txt", "email/preheader.txt", "email/body.html", "email/body.txt")


def receipt(number: int) -> dict[str, Any]:
    """A receipt of four lines: prices, total, date and number are new each time, the rest is as always."""
    new = 1000 + number
    lines = [
        {"name": "Wool blanket", "quantity": 1, "price": {"amount": "89.90", "currency": "EUR"}},
        {"name": "Stoneware mug", "quantity": 2, "price": {"amount": "24.00", "currency": "EUR"}},
        {"name": f"Book {number}", "quantity": 1, "price": {"amount": f"{new}.10", "currency": "EUR"}},
        {"name": f"Lamp {number}", "quantity": 3, "price": {"amount": f"{new}.20", "currency": "EUR"}},
    ]
    return {
        "number": f"R-{number}",
        "paid_at": f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}T{number % 24:02}:{number // 24 % 60:02}:00Z",
        "items": lines,
        "subtotal": {"amount": f"{new}.30", "currency": "EUR"},
        "tax": {"amount": "21.64", "currency": "EUR"},
        "total": {"amount": f"{new}.54", "currency": "EUR"},
        "name": "Amina",
        "method": "Visa •••• 4242",
        "receipt_url": f"https://example.org/receipts/R-{number}",
    }


def plain() -> Callable[[int], object]:
    """What one writes first: one sandboxed environment for the locale, Babel's catalogs and formats in filters."""
    locale, zone = Locale.parse(TAG), pytz.timezone(ZONE)
    environment = SandboxedEnvironment(
        loader=FileSystemLoader(ROOT / "templates"),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    compiled = io.BytesIO()
    with (ROOT / "translations" / TAG / "LC_MESSAGES" / "messages.po").open("rb") as file:
        write_mo(compiled, read_po(file, locale=TAG))
    compiled.seek(0)
    environment.install_gettext_translations(Translations(compiled), newstyle=True)  # type: ignore[attr-defined]

    def instant(value: str) -> datetime:
        return datetime.fromisoformat(value).astimezone(zone)

    def show_date(value: str, form: str = "medium") -> str:
        day = date.fromisoformat(value) if len(value) == 10 else instant(value)
        return dates.format_date(day, form, locale)

    def show_time(value: str, form: str = "medium") -> str:
        return dates.format_time(instant(value), form, zone, locale)

    environment.filters.update(
        {
            "money": lambda value: numbers.format_currency(Decimal(value["amount"]), value["currency"], locale=locale),
            "number": lambda value: numbers.format_decimal(value, locale=locale),
            "date": show_date,
            "time": show_time,
            "list": lambda value: lists.format_list(value, locale=locale),
        }
    )
    given: Mapping[str, object] = {
        "locale": {"tag": TAG, "direction": "ltr"},
        "unsubscribe_url": LINK,
        "preferences_url": LINK,
        "postal_address": (),
    }
    templates = [environment.get_template(f"receipt/{path}") for path in PARTS]

    def render(number: int) -> object:
        data = {**given, **json.loads(json.dumps(receipt(number)))}
        subject, preheader = (template.render(data) for template in templates[:2])
        return [template.render(data, subject=subject, preheader=preheader) for template in templates[2:]]

    return render


def ours() -> Callable[[int], object]:
    """The renderer as the dispatcher calls it, resolution and checks included."""
    default = Locale("en")
    templates = TemplateLibrary(ROOT / "templates", default=default)
    catalogs = CatalogLibrary(ROOT / "translations", default=default)

    async def load() -> None:
        await templates.refresh()
        await catalogs.refresh()

    asyncio.run(load())
    renderer = Renderer(templates, catalogs)

    def render(number: int) -> object:
        pin = renderer.pin()
        template = pin.templates.template("receipt")
        resolution = renderer.resolve(pin, template, template.channels, TAG)
        data: Mapping[str, Any] = json.loads(json.dumps(receipt(number)))
        given = RenderInput(data=data, recipient={}, timezone=ZONE, now=NOW, unsubscribe_url=LINK, preferences_url=LINK)
        content = renderer.render(pin, template, Channel.EMAIL, resolution, given)
        assert content.locale == TAG, resolution.missing
        return content

    return render


def main(effort: Effort) -> None:
    """Print the table."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    subjects = {"plain sandboxed Jinja2 with Babel": plain(), "Heliograph": ours()}
    times = measure.time_rounds(subjects, operations=effort.part(300, least=3), rounds=effort.rounds)
    rows = measure.compare(times, "plain sandboxed Jinja2 with Babel")
    title = "Localized render of the receipt e-mail (subject, preheader, HTML, text), half of the values new"
    measure.print_table(title, rows, rounds=effort.rounds, goal="at least 2.5 times")
