"""`heliograph db`: the tables of the store."""

import typer

from gateway.bootstrap import read_revisions, upgrade_store
from gateway.cli.output import Json, command, notes, print_json, print_table
from gateway.configuration import load_settings
from gateway.logs import configure_logs
from gateway.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Look at the store's tables and bring them up to date.")


@app.command()
@command
async def upgrade() -> None:
    """Bring the tables up to date; safe to repeat, and to run from several places at once."""
    settings = _settings()
    await upgrade_store(settings)
    stored, _ = await read_revisions(settings)
    notes.print(f"The store is at revision {stored}.")


def _settings() -> Settings:
    settings = load_settings().settings
    # Before the store speaks: its logs must not stand among a command's data.
    configure_logs(settings.log)
    return settings


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
