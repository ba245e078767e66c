"""`heliograph catalogs`: the translators' files, from the templates' texts to checked catalogs."""

from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import Annotated, ParamSpec, TypeVar

import typer

from gateway.cli.output import Json, fail, notes, print_json, print_table
from gateway.configuration import load_settings
from gateway.errors import GatewayError
from gateway.localization.findings import Severity
from gateway.localization.locales import UnknownLocale, parse_locale
from gateway.localization.workbench import FileFinding, Workbench
from gateway.resources import PACKAGE, shipped_templates, shipped_translations

app = typer.Typer(no_args_is_help=True, help="Keep the translations: extract, update, check, stats.")

P = ParamSpec("P")
T = TypeVar("T")


def _explained(function: Callable[P, T]) -> Callable[P, T]:
    """Turn what is wrong with the files into a sentence and exit status 1."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except GatewayError as error:
            raise fail(error.message) from error
        except UnknownLocale as error:
            raise fail(str(error)) from error

    return run


def _open_workbench() -> Workbench:
    settings = load_settings().settings
    templates = settings.content.templates or shipped_templates()
    return Workbench(
        translations=settings.content.translations or shipped_translations(),
        sources={"messages": [templates], "console": _console_templates()},
        default=parse_locale(settings.locales.default),
    )


def _console_templates() -> list[Path]:
    """The folders of the pages' templates, which lie beside the code that shows them."""
    return sorted(path for path in (PACKAGE / "web").rglob("templates") if path.is_dir())


@app.command()
@_explained
def extract(*, as_json: Json = False) -> None:
    """Collect the texts of the templates into translations/<domain>.pot.

    Stops with file and line at a template that does not parse; then nothing is written.
    """
    _report_written(_open_workbench().extract(), as_json)


@app.command()
@_explained
def update(
    locales: Annotated[
        list[str] | None, typer.Argument(help="Such as fr-CA; a new one is created. Left out: all.", show_default=False)
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Bring catalogs in line with the POT, keeping every translation, and create those of new locales."""
    _report_written(_open_workbench().update(locales or ()), as_json)


def _report_written(paths: list[Path], as_json: bool) -> None:
    if as_json:
        print_json({"written": [str(path) for path in paths]})
        return
    for path in paths:
        typer.echo(path)
    notes.print(f"Files written: {len(paths)}." if paths else "Everything is current.")


@app.command()
@_explained
def check(
    *,
    warnings: Annotated[bool, typer.Option("--warnings", help="Show warnings too.")] = False,
    as_json: Json = False,
) -> None:
    """Check every catalog, and that POT and catalogs are current; exit status 1 if there is an error."""
    findings = _open_workbench().check()
    errors = [item for item in findings if item.finding.severity is Severity.ERROR]
    shown = findings if warnings or as_json else errors
    if as_json:
        print_json([{"path": item.path} | asdict(item.finding) for item in shown])
    else:
        for item in shown:
            typer.echo(_describe(item))
        notes.print(f"Errors: {len(errors)}, warnings: {len(findings) - len(errors)}.")
    if errors:
        raise typer.Exit(1)


def _describe(item: FileFinding) -> str:
    found = item.finding
    entry = f" [{found.entry[:60]}]" if found.entry else ""
    return f"{item.path}:{found.line}: {found.severity}: {found.check}: {found.message}{entry}"


@app.command()
@_explained
def stats(*, as_json: Json = False) -> None:
    """Count each catalog's texts by state; fuzzy ones and plurals with an empty form are not translated."""
    counted = _open_workbench().stats()
    if as_json:
        print_json([{"domain": item.domain, "locale": item.tag} | asdict(item.stats) for item in counted])
        return
    columns = ("domain", "locale", "translated", "fuzzy", "untranslated", "failing", "sendable", "share")
    rows = []
    for item in counted:
        count = item.stats
        total = count.translated + count.fuzzy + count.untranslated
        # Rounded down: 100 % means that nothing is left to do.
        share = f"{100 * count.translated // total if total else 100} %"
        numbers = (count.translated, count.fuzzy, count.untranslated, count.failing, count.sendable)
        rows.append((item.domain, item.tag, *numbers, share))
    print_table("", columns, rows)
