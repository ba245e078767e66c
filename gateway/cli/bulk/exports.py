"""A list of the gateway's into a file: whole or not at all, or to standard output as it comes."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO

from gateway.cli.bulk.rows import BOTH_WAYS, Columns, Format, format_of, write_rows
from gateway.cli.client import Client
from gateway.cli.output import fail, notes
from gateway.cli.progress import showing_steps

_ROWS: Final = 200
"""Written at once: a page of a list."""


async def run_export(
    client: Client,
    target: str,
    written: Format | None,
    *,
    title: str,
    path: str,
    columns: Columns,
    params: Mapping[str, str] | None = None,
) -> None:
    """Write every item of the list at `path` to a file, or to standard output for `-`."""
    chosen = Format.NDJSON if target == BOTH_WAYS and written is None else format_of(target, written)
    done = 0
    try:
        with _opened(target) as file, showing_steps() as steps:
            advance = steps.begin(title, None)
            write = write_rows(file, chosen, columns)
            portion: list[Mapping[str, Any]] = []
            async for item in client.pages(path, params):
                portion.append(item)
                if len(portion) == _ROWS:
                    write(portion)
                    done += len(portion)
                    advance(done)
                    portion = []
            write(portion)
            done += len(portion)
            advance(done)
    except BrokenPipeError as error:
        # Who reads has enough; nothing more may be written, not even at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise fail("Standard output was closed before the end.") from error
    except OSError as error:
        raise fail(f"{target}: {error.strerror}", 2) from error
    notes.print(f"{title}: {done} rows")


@contextmanager
def _opened(target: str) -> Iterator[TextIO]:
    """The file takes its name once it is whole."""
    if target == BOTH_WAYS:
        yield sys.stdout
        sys.stdout.flush()
        return
    path = Path(target)
    draft = path.with_name(f"{path.name}.part")
    # Addresses are nobody else's business.
    with os.fdopen(
        os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8", newline=""
    ) as file:
        yield file
    os.replace(draft, path)
