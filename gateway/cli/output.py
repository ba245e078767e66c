"""How commands speak: data to standard output, everything else to standard error."""

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial, wraps
from typing import Annotated, Any, Final, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from gateway.errors import GatewayError, InvalidRequest

P = ParamSpec("P")
T = TypeVar("T")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text for people.")]

_PLAIN_WIDTH: Final = 200
"""Columns of a table that no terminal shows: wide enough for ids to stay whole."""

# What is printed comes from callers and templates: brackets and colons in it are text, no markup.
_console: Final = partial(Console, highlight=False, markup=False, emoji=False)

notes = _console(stderr=True, soft_wrap=True)
"""For people: progress, warnings, errors."""


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on standard output, below its title if it has one; plain columns where that is no terminal."""
    console = _console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH)
    if title:
        # Not the table's own title, which wraps where the table is narrow.
        console.print(title, style="table.title", soft_wrap=True)
    table = Table(show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    console.print(table)


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)


def missing_note(locale: dict[str, Any]) -> str:
    """Why a better language was not used: the texts that it lacks, one on each line."""
    return "\n  ".join([f"Shown in {locale['resolved']}, because these texts are missing:", *locale["missing"]])


def fail(message: str, status: int = 1) -> typer.Exit:
    """Say what is wrong on standard error; raise what is returned."""
    notes.print(message, style="red")
    return typer.Exit(status)


def command(function: Callable[P, Coroutine[object, object, T]]) -> Callable[P, T]:
    """Run an async command to its end and turn the gateway's errors into a sentence and exit status 1."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return asyncio.run(function(*args, **kwargs))
        except InvalidRequest as error:
            lines = [error.message, *(f"  {problem.pointer}: {problem.message}" for problem in error.problems)]
            raise fail("\n".join(lines)) from error
        except GatewayError as error:
            raise fail(error.message) from error

    return run
