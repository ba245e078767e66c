"""`heliograph db`: the tables of the store."""

from typing import Annotated

import typer

from gateway.bootstrap import SystemClock, copy_store, read_revisions, upgrade_store
from gateway.cli.output import Json, command, notes, print_json, print_table
from gateway.cli.progress import Advance, showing_steps
from gateway.configuration import load_settings
from gateway.logs import configure_logs
from gateway.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Look at the store's tables, bring them up to date, copy them.")

_Pre = Annotated[
    bool,
    typer.Option("--pre", help="Only what the version before can live with; for before the new one starts."),
]
_From = Annotated[str | None, typer.Option("--from", metavar="URL", help="The store to copy; left out, store.url.")]
_To = Annotated[str, typer.Option("--to", metavar="URL", help="An empty store, such as postgresql://user@host/name.")]


@app.command()
@command
async def upgrade(*, pre: _Pre = False) -> None:
    """Bring the tables up to date; safe to repeat, and to run from several places at once."""
    settings = _settings()
    await upgrade_store(settings, SystemClock(), pre=pre)
    stored, _ = await read_revisions(settings)
    notes.print(f"The store is at revision {stored}.")


@app.command()
@command
async def current(*, as_json: Json = False) -> None:
    """Show which revision the store is at and which one this version needs; exit status 1 where they differ."""
    stored, needed = await read_revisions(_settings())
    if as_json:
        print_json({"store": stored, "needed": needed})
    else:
        print_table("", ("store", "needed"), [(stored or "none yet", needed)])
    if stored != needed:
        raise typer.Exit(1)


@app.command()
@command
async def copy(target: _To, source: _From = None, *, as_json: Json = False) -> None:
    """Copy every row of a store into an empty one, between SQLite and PostgreSQL or within one of them.

    Stop every `serve` and `worker` on both first. Either all rows are there at the end, counted, or none.
    """
    url = source or _settings().store.url
    steps: dict[str, Advance] = {}
    with showing_steps() as shown:

        def advance(table: str, done: int, total: int) -> None:
            if table not in steps and total:
                steps[table] = shown.begin(table, total)
            if table in steps:
                steps[table](done)

        counts = await copy_store(url, target, SystemClock(), advance)
    if as_json:
        print_json(dict(counts))
    else:
        print_table("", ("table", "rows"), [*counts.items(), ("all", sum(counts.values()))])


def _settings() -> Settings:
    settings = load_settings().settings
    # Before the store speaks: its logs must not stand among a command's data.
    configure_logs(settings.log)
    return settings
