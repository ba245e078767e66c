"""The shipped templates and catalogs by Jinja2, gettext and Babel: compiled once a process and locale."""

import io
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale, dates, lists, numbers
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from django.conf import settings
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, pass_context, select_autoescape
from jinja2.runtime import Context

from courier.models import Message

_OPTIONS = {"trim_blocks": False, "auto_reload": False, "cache_size": 400, "undefined": StrictUndefined}
_PARTS = ("subject.txt", "preheader.txt", "body.html", "body.txt")


def render(message: Message) -> tuple[str, dict[str, str]]:
    """The locale that was found, and subject, preheader, HTML and text."""
    locale = resolve(message.recipient["locale"])
    parts = templates_of(locale, message.template)
    zone = ZoneInfo(message.recipient["timezone"])
    given = {**message.data, "zone": zone, "preferences_url": "", "unsubscribe_url": "", "postal_address": ()}
    subject = " ".join(parts["subject.txt"].render(given).split())
    preheader = " ".join(parts["preheader.txt"].render(given).split())
    html = parts["body.html"].render(given, subject=subject, preheader=preheader)
    text = parts["body.txt"].render(given)
    return tag_of(locale), {"subject": subject, "preheader": preheader, "html": html, "text": text}


@cache
def resolve(tag: str) -> Locale:
    """The best locale that has a catalog: the asked one, its parents, English."""
    wanted = Locale.parse(tag, sep="-")
    for name in (str(wanted), f"{wanted.language}_{wanted.script}", wanted.language):
        if (settings.CATALOG_FOLDER / name).is_dir():
            return Locale.parse(name)
    return Locale("en")


def tag_of(locale: Locale) -> str:
    return str(locale).replace("_", "-")


@cache
def templates_of(locale: Locale, name: str) -> dict[str, Template]:
    environment = environment_of(locale)
    return {part: environment.get_template(f"{name}/email/{part}") for part in _PARTS}


@cache
def environment_of(locale: Locale) -> Environment:
    """Jinja2 with this locale's catalog and formats."""
    environment = Environment(
        loader=FileSystemLoader(settings.TEMPLATE_FOLDER),
        autoescape=select_autoescape(("html",)),
        extensions=["jinja2.ext.i18n"],
        **_OPTIONS,
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_translations(catalog_of(locale), newstyle=True)
    environment.filters.update(_formats(locale))
    direction = "rtl" if locale.text_direction == "rtl" else "ltr"
    environment.globals["locale"] = {"tag": tag_of(locale), "direction": direction}
    return environment


@cache
def catalog_of(locale: Locale) -> NullTranslations:
    path = settings.CATALOG_FOLDER / str(locale) / "LC_MESSAGES" / "messages.po"
    if not path.exists():
        return NullTranslations()
    compiled = io.BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=str(locale)))
    compiled.seek(0)
    catalog = Translations(compiled)
    if locale.territory is not None:
        catalog.add_fallback(catalog_of(Locale(locale.language, script=locale.script)))
    return catalog


def _formats(locale: Locale) -> dict[str, Any]:
    def money(value: dict[str, str]) -> str:
        return numbers.format_currency(Decimal(value["amount"]), value["currency"], locale=locale)

    @pass_context
    def show_date(context: Context, value: str, form: str = "medium") -> str:
        day = date.fromisoformat(value) if len(value) == 10 else _local(context, value)
        return dates.format_date(day, form, locale)

    @pass_context
    def show_time(context: Context, value: str, form: str = "medium") -> str:
        return dates.format_time(_local(context, value), form, locale=locale)

    return {
        "money": money,
        "number": lambda value: numbers.format_decimal(value, locale=locale),
        "date": show_date,
        "time": show_time,
        "list": lambda value: lists.format_list(value, locale=locale),
    }


def _local(context: Context, value: str) -> datetime:
    return datetime.fromisoformat(value).astimezone(context["zone"])
