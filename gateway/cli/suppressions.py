"""`heliograph suppressions`: addresses never to be written to."""

from typing import Annotated, Any

import typer

from gateway.cli.client import DEFAULT_URL, Key, Url, connect
from gateway.cli.output import Json, command, notes, print_json, print_table
from gateway.cli.values import in_path
from gateway.domain.preferences import SuppressionReason
from gateway.domain.recipients import Channel

app = typer.Typer(no_args_is_help=True, help="Keep addresses from being written to; the key needs the scope ops.")

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


def _print(rows: list[Any], document: Any, as_json: bool) -> None:
    if as_json:
        print_json(document)
    else:
        print_table("", _COLUMNS, [[row[name] for name in _COLUMNS] for row in rows])
