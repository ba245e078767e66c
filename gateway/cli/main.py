"""`heliograph`: every command and command group under one name; only the one that is asked for is imported."""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

from gateway.resources import version

if TYPE_CHECKING:
    # Typer's own copy of Click: named in annotations only.
    from typer._click import Command, Context


class Entry(NamedTuple):
    """Where a command lives, and its line in the list of commands, which needs no import."""

    module: str
    attribute: str
    line: str


ENTRIES: Final[Mapping[str, Entry]] = {
    "serve": Entry("serve", "serve", "Run the gateway: HTTP API, pages and, in embedded mode, the worker."),
    "worker": Entry("worker", "worker", "Hand over what `heliograph serve` accepts, until SIGTERM or Ctrl-C."),
    "demo": Entry("demo.command", "demo", "Start a gateway on a fresh store, send hundreds of messages through it."),
    "send": Entry("messages", "send", "Send one message of TEMPLATE."),
    "explain": Entry("messages", "explain", "Say what would happen to such a message, and why."),
    "messages": Entry("messages", "app", "Look at messages and steer them."),
    "recipients": Entry("recipients", "app", "Keep, read, export and erase people."),
    "consents": Entry("consents", "app", "Say and read what a person wants, and check the ledger of it."),
    "suppressions": Entry("suppressions", "app", "Keep addresses from being written to; the key needs the scope ops."),
    "webhooks": Entry("webhooks", "app", "Keep the endpoints that hear what becomes of messages."),
    "templates": Entry("templates", "app", "Look at templates and check them."),
    "catalogs": Entry("catalogs", "app", "Keep the translations: extract, update, check, stats."),
    "services": Entry("services", "app", "Keep the services that may call, and their sender identities."),
    "keys": Entry("keys", "app", "Make, list, rotate and revoke API keys."),
    "spending": Entry(
        "spending", "spending", "Show how much of each limit on spending is used, and how many readers complain."
    ),
    "db": Entry("db", "app", "Look at the store's tables, bring them up to date, copy them; read the audit trail."),
    "policy": Entry("policy", "app", "Try rules on the traffic that there was."),
    "doctor": Entry("doctor", "doctor", "Ask each provider whether it would take messages."),
    "config": Entry("config", "app", "Look at the settings and the country packs."),
}


def load_command(name: str) -> "Command":
    """Import the module of a command and make the command."""
    entry = ENTRIES[name]
    found = getattr(import_module(f"gateway.cli.{entry.module}"), entry.attribute)
    host = typer.Typer(pretty_exceptions_enable=False)
    if isinstance(found, typer.Typer):
        host.add_typer(found, name=name)
    else:
        host.command(name)(found)
    host.callback()(_nothing)
    return typer.main.get_group(host).commands[name]


def _nothing() -> None:
    pass


class _LazyGroup(TyperGroup):
    """Lists its commands by their lines and imports one when it is to run."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: TyperCommand(name, help=entry.line) for name, entry in ENTRIES.items()}

    def resolve_command(self, ctx: "Context", args: list[str]) -> "tuple[str | None, Command | None, list[str]]":
        name, command, rest = super().resolve_command(ctx, args)
        return name, command if name is None else load_command(name), rest


app = typer.Typer(
    cls=_LazyGroup,
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


def main() -> None:
    """The console script."""
    app(prog_name="heliograph")


if __name__ == "__main__":
    main()
