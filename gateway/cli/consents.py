"""`heliograph consents`: what people want to get, and ever said of it."""

from typing import Annotated, Any

import typer

from gateway.cli.client import DEFAULT_URL, Key, Url, connect
from gateway.cli.output import Json, command, print_json, print_table
from gateway.cli.values import in_path
from gateway.domain.preferences import ConsentState
from gateway.domain.recipients import Channel

app = typer.Typer(no_args_is_help=True, help="Say and read what a person wants.")

_COLUMNS = ("channel", "topic", "state", "source", "at")


@app.command("set")
@command
async def set_consent(
    recipient_id: str,
    channel: Channel,
    topic: str,
    state: ConsentState,
    *,
    source: Annotated[str, typer.Option(help="Where the person said it.")] = "command-line",
    wording: Annotated[str | None, typer.Option(help="The sentence agreed to.", show_default=False)] = None,
    at: Annotated[
        str | None, typer.Option(help="When it was said, RFC 3339; left out: now.", show_default=False)
    ] = None,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Add a line to a person's history: STATE for TOPIC on CHANNEL."""
    line = {"channel": channel, "topic": topic, "state": state, "source": source, "wording": wording, "at": at}
    body = {"consents": [{name: value for name, value in line.items() if value is not None}]}
    async with connect(url, key) as client:
        answer = await client.call("PUT", _path(recipient_id), body=body)
    _print(answer.body, as_json)


@app.command("list")
@command
async def list_consents(recipient_id: str, *, url: Url = DEFAULT_URL, key: Key = "", as_json: Json = False) -> None:
    """Show what holds for each channel and topic."""
    async with connect(url, key) as client:
        answer = await client.call("GET", _path(recipient_id))
    _print(answer.body, as_json)


@app.command()
@command
async def history(recipient_id: str, *, url: Url = DEFAULT_URL, key: Key = "", as_json: Json = False) -> None:
    """Show every line, newest first."""
    lines: list[Any] = []
    async with connect(url, key) as client:
        async for line in client.pages(f"{_path(recipient_id)}/history"):
            lines.append(line)
    _print({"items": lines}, as_json)


def _path(recipient_id: str) -> str:
    return f"/v1/recipients/{in_path(recipient_id)}/consents"


def _print(answer: Any, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        print_table("", _COLUMNS, [[line[name] for name in _COLUMNS] for line in answer["items"]])
