"""`heliograph`: every command group under one name."""

from typing import Annotated

import typer

from gateway.cli import catalogs, config, consents, db, keys, messages, recipients, services, suppressions, templates
from gateway.cli.demo.command import demo
from gateway.cli.serve import serve
from gateway.resources import version

app = typer.Typer(
    no_args_is_help=True,
    help="A messaging gateway: who may be told what, when, in which language, on which channel, and the proof of it.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"heliograph {version()}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end."),
    ] = False,
) -> None:
    pass


app.command()(serve)
app.command()(messages.send)
app.command()(messages.explain)
app.add_typer(messages.app, name="messages")
app.add_typer(recipients.app, name="recipients")
app.add_typer(consents.app, name="consents")
app.add_typer(suppressions.app, name="suppressions")
app.add_typer(templates.app, name="templates")
app.add_typer(catalogs.app, name="catalogs")
app.add_typer(services.app, name="services")
app.add_typer(keys.app, name="keys")
app.add_typer(db.app, name="db")
app.add_typer(config.app, name="config")
app.command()(demo)


def main() -> None:
    """The console script."""
    app()


if __name__ == "__main__":
    main()
