"""`heliograph config`: what the settings are and where each came from, and which rules ship for which country."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated

import typer
from pydantic import BaseModel

from gateway.bootstrap import standing_of
from gateway.cli.output import Json, fail, notes, print_json, print_table
from gateway.cli.packs import pack_rows, packs_json
from gateway.configuration import load_settings
from gateway.domain.durations import format_duration
from gateway.errors import ConfigurationError
from gateway.policy.packs.reading import load_packs
from gateway.settings import masked_url

app = typer.Typer(no_args_is_help=True, help="Look at the settings and the country packs.")


@app.command()
def show(
    *,
    sources: Annotated[bool, typer.Option("--sources", help="Say where each value came from.")] = False,
    as_json: Json = False,
) -> None:
    """Print every setting as it is in force, secrets masked."""
    try:
        loaded = load_settings()
    except ConfigurationError as error:
        raise fail(error.message) from error
    rows = [
        (key, _shown(value), loaded.sources.get(key.partition("[")[0], "default"))
        for key, value in _flatten("", loaded.settings)
    ]
    if as_json:
        print_json({key: {"value": value, "source": source} if sources else value for key, value, source in rows})
    elif sources:
        print_table("", ("setting", "value", "source"), rows)
    else:
        print_table("", ("setting", "value"), [row[:2] for row in rows])


@app.command()
def packs(
    *,
    country: Annotated[
        list[str] | None, typer.Option("--country", metavar="CC", help="Only these countries.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """List the rules that ship for each country: what they say, on what ground, and whether they are in force.

    They are defaults with their sources, and no legal advice.
    """
    shipped = load_packs()
    try:
        loaded = load_settings()
        with loaded.placing():
            standing = standing_of(loaded.settings, shipped)
    except ConfigurationError as error:
        raise fail(error.message) from error
    wanted = {code.upper() for code in country or shipped}
    if unknown := sorted(wanted - set(shipped)):
        raise fail(f"There is no pack for {', '.join(unknown)}; there are {', '.join(shipped)}.")
    chosen = [pack for pack in shipped.values() if pack.country in wanted]
    if as_json:
        print_json(packs_json(chosen, standing))
        return
    print_table("", ("rule", "says", "confidence", "as of", "source", "standing"), pack_rows(chosen, standing))
    notes.print("Defaults with their sources, and no legal advice.")


def _flatten(prefix: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            yield from _flatten(f"{prefix}.{field.alias or name}" if prefix else name, getattr(value, name))
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flatten(f"{prefix}.{name}", inner)
    elif isinstance(value, list | tuple) and any(isinstance(item, BaseModel | Mapping) for item in value):
        for number, item in enumerate(value):
            yield from _flatten(f"{prefix}[{number}]", item)
    else:
        yield prefix, value


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(_shown(item) for item in value)
    if isinstance(value, timedelta):
        return format_duration(value)
    return "" if value is None else masked_url(str(value))
