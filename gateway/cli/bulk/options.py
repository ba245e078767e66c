"""What every import and export is told on the command line."""

from typing import Annotated

import typer

from gateway.cli.bulk.rows import Format

Source = Annotated[str, typer.Argument(metavar="FILE", help="A .csv, .ndjson or .jsonl file; `-` is standard input.")]
Target = Annotated[str, typer.Argument(metavar="FILE", help="A .csv, .ndjson or .jsonl file; `-` is standard output.")]
Written = Annotated[
    Format | None,
    typer.Option("--format", help="Left out: what the file's name says; NDJSON for `-`.", show_default=False),
]
Errors = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="Keep every refused row's line, field and what to mend there.", show_default=False
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where an earlier run of this file stopped.")]
