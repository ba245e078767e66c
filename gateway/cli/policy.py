"""`heliograph policy`: what other rules would do to the traffic that there was."""

import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.bootstrap import open_replay
from gateway.cli.output import Json, command, fail, notes, print_json, print_table
from gateway.cli.progress import showing_steps
from gateway.configuration import load_settings
from gateway.delivery.what_if.comparison import DELAYS, WAYS, Comparison
from gateway.domain.durations import parse_duration
from gateway.domain.instants import rfc3339

app = typer.Typer(no_args_is_help=True, help="Try rules on the traffic that there was.")

_WHEN: Final = "An instant, such as 2026-11-15T00:00:00Z, or how long ago, such as 7d."


@app.callback()
def _group() -> None:
    pass


@app.command()
@command
async def replay(
    *,
    rules: Annotated[
        Path,
        typer.Option(
            "--rules",
            metavar="FILE",
            help="TOML with the tables quiet_hours, frequency_caps and policy, as in the settings.",
        ),
    ],
    since: Annotated[str, typer.Option("--since", help=_WHEN)] = "7d",
    until: Annotated[str, typer.Option("--until", help=_WHEN)] = "0s",
    as_json: Json = False,
) -> None:
    """Play recorded traffic under other rules and count what would change; nothing is changed by it.

    Rules of the file stand in place of those in the settings. Country packs hold as they do now, unless the file
    says otherwise in its table `policy`.
    """
    now = datetime.now(UTC)
    start, end = _instant(since, now, "--since"), _instant(until, now, "--until")
    if end <= start:
        raise fail("--until must lie after --since.", 2)
    try:
        other = tomllib.loads(rules.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise fail(f"{rules}: {error}", 2) from error
    async with open_replay(load_settings().settings, other, str(rules)) as replayed:
        with showing_steps() as steps:
            compared = await replayed.run(start, end, steps.begin)
    if as_json:
        print_json({"since": rfc3339(start), "until": rfc3339(end), **compared.shown()})
    else:
        _print(compared, start, end)


def _instant(text: str, now: datetime, option: str) -> datetime:
    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise fail(f"{option}: {_WHEN}", 2) from error
    if instant.tzinfo is None:
        raise fail(f"{option}: say the offset, such as Z.", 2)
    return instant.astimezone(UTC)


def _print(compared: Comparison, start: datetime, end: datetime) -> None:
    changes = sorted(compared.changes)
    for way in WAYS if changes else ():
        rows = [
            (place or "-", of.total(), *(of[change] or "" for change in changes))
            for place, of in sorted(compared.by[way].items())
        ]
        print_table(f"Changes by {way}", (way, "deliveries", *changes), rows)
    ends = [name for name in (*DELAYS, "suppress", "expire") if compared.before[name] or compared.after[name]]
    rows = [(name, compared.before[name], compared.after[name]) for name in ends]
    print_table("How much later than asked for it goes", ("later by", "now", "with these rules"), rows)
    period = f"from {rfc3339(start)} to {rfc3339(end)}"
    notes.print(f"{compared.changed} of {compared.deliveries} deliveries accepted {period} would fare otherwise.")
