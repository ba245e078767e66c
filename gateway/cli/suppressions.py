"""`heliograph suppressions`: addresses never to be written to."""

from typing import Annotated, Any

import typer

from gateway.cli.bulk.exports import run_export
from gateway.cli.bulk.imports import Import, run_import
from gateway.cli.bulk.options import Errors, Resume, Source, Target, Written
from gateway.cli.bulk.rows import Cell
from gateway.cli.client import DEFAULT_URL, Key, Url, connect
from gateway.cli.output import Json, command, notes, print_json, print_table
from gateway.cli.values import in_path
from gateway.domain.preferences import SuppressionReason
from gateway.domain.recipients import Channel

app = typer.Typer(no_args_is_help=True, help="Keep addresses from being written to; the key needs the scope ops.")

_WRITTEN = {
    "channel": Cell.TEXT,
    "address": Cell.TEXT,
    "reason": Cell.TEXT,
    "scope": Cell.TEXT,
    "evidence": Cell.JSON,
    "expires_at": Cell.TEXT,
}
_COLUMNS = ("id", "channel", "address", "reason", "scope", "created_at", "expires_at")


@app.command("list")
@command
async def list_suppressions(
    *,
    channel: Annotated[Channel | None, typer.Option(show_default=False)] = None,
    address: Annotated[str | None, typer.Option(help="One whole address.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """List suppressions, newest first."""
    asked = {"channel": channel, "address": address, "limit": str(limit)}
    params = {name: value for name, value in asked.items() if value is not None}
    async with connect(url, key) as client:
        answer = await client.call("GET", "/v1/suppressions", params=params)
    _print(answer.body["items"], answer.body, as_json)


@app.command()
@command
async def add(
    channel: Channel,
    address: str,
    *,
    reason: Annotated[SuppressionReason, typer.Option()] = SuppressionReason.MANUAL,
    scope: Annotated[str, typer.Option(help="all, a category, or topic:<name>.")] = "all",
    expires_at: Annotated[str | None, typer.Option(help="RFC 3339; left out: never.", show_default=False)] = None,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Never write to ADDRESS on CHANNEL again."""
    body = {"channel": channel, "address": address, "reason": reason, "scope": scope}
    if expires_at is not None:
        body["expires_at"] = expires_at
    async with connect(url, key) as client:
        answer = await client.call("POST", "/v1/suppressions", body=body)
    _print([answer.body], answer.body, as_json)


@app.command()
@command
async def remove(
    suppression_id: str,
    *,
    reason: Annotated[str | None, typer.Option(help="Why; kept in the audit trail.", show_default=False)] = None,
    url: Url = DEFAULT_URL,
    key: Key = "",
) -> None:
    """Lift a suppression: the address may be written to again."""
    params = {} if reason is None else {"reason": reason}
    async with connect(url, key) as client:
        await client.call("DELETE", f"/v1/suppressions/{in_path(suppression_id)}", params=params)
    notes.print(f"{suppression_id} is lifted")


@app.command("import")
@command
async def import_suppressions(
    source: Source,
    *,
    written: Written = None,
    errors: Errors = None,
    resume: Resume = False,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Never write to the addresses of FILE again.

    Columns: channel, address, reason, scope, evidence (JSON), expires_at. What stands already is left as it is, or
    prolonged. Exit status 0: all stand; 3: some were refused; 1: the gateway went away, and --resume goes on; 2:
    wrong use.
    """
    plan = Import(title="suppressions", path="/v1/suppressions/batch", member="suppressions", columns=_WRITTEN)
    async with connect(url, key) as client:
        await run_import(client, plan, source, written, errors=errors, resume=resume, as_json=as_json)


@app.command("export")
@command
async def export_suppressions(
    target: Target,
    *,
    channel: Annotated[Channel | None, typer.Option(show_default=False)] = None,
    written: Written = None,
    url: Url = DEFAULT_URL,
    key: Key = "",
) -> None:
    """Write the suppressions to FILE, in the columns that `import` reads; those of erased people have no address."""
    params = {} if channel is None else {"channel": channel.value}
    async with connect(url, key) as client:
        await run_export(
            client,
            target,
            written,
            title="suppressions",
            path="/v1/suppressions",
            columns=_WRITTEN,
            params=params,
        )


def _print(rows: list[Any], document: Any, as_json: bool) -> None:
    if as_json:
        print_json(document)
    else:
        print_table("", _COLUMNS, [[row[name] for name in _COLUMNS] for row in rows])
