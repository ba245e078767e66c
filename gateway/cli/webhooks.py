"""`heliograph webhooks`: where a service hears what becomes of its messages."""

from typing import Annotated, Any, Final

import typer

from gateway.cli.client import DEFAULT_URL, Client, Key, Url, connect
from gateway.cli.output import Json, command, fail, notes, print_json, print_table
from gateway.cli.values import in_path
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel

app = typer.Typer(no_args_is_help=True, help="Keep the endpoints that hear what becomes of messages, and try them out.")

_PATH: Final = "/v1/webhook-endpoints"
_COLUMNS: Final = ("id", "url", "enabled", "disabled_reason", "failing_since", "waiting")

EndpointId = Annotated[str, typer.Argument(metavar="ENDPOINT", help="Its id, whe_….")]
Types = Annotated[
    list[str] | None,
    typer.Option("--type", help="delivery.delivered, delivery.* or *; repeat for several.", show_default=False),
]
Channels = Annotated[list[Channel] | None, typer.Option("--channel", show_default=False)]
Categories = Annotated[list[Category] | None, typer.Option("--category", show_default=False)]
Topics = Annotated[list[str] | None, typer.Option("--topic", show_default=False)]
Templates = Annotated[list[str] | None, typer.Option("--template", show_default=False)]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="The message has one of them.", show_default=False)]
Description = Annotated[str | None, typer.Option(help="For people.", show_default=False)]


@app.command("list")
@command
async def list_endpoints(*, url: Url = DEFAULT_URL, key: Key = "", as_json: Json = False) -> None:
    """List the endpoints, newest first; those of all services with the scope ops."""
    async with connect(url, key) as client:
        endpoints = [one async for one in client.pages(_PATH)]
    _print(endpoints, endpoints, as_json)


@app.command()
@command
async def add(
    address: Annotated[str, typer.Argument(help="https and public, unless the gateway's settings name it.")],
    *,
    types: Types = None,
    channels: Channels = None,
    categories: Categories = None,
    topics: Topics = None,
    templates: Templates = None,
    tags: Tags = None,
    description: Description = None,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Have ADDRESS told what happens from now on; prints the secret that it is signed with, this once."""
    filters = _filters(
        types=types, channels=channels, categories=categories, topics=topics, templates=templates, tags=tags
    )
    body = {"url": address, "description": description, "filters": filters}
    async with connect(url, key) as client:
        answer = await client.call("POST", _PATH, body=body)
    _print_secret(answer.body, as_json)


@app.command()
@command
async def show(endpoint: EndpointId, *, url: Url = DEFAULT_URL, key: Key = "", as_json: Json = False) -> None:
    """Show one, with what it wants and what its last failure was."""
    async with connect(url, key) as client:
        answer = await client.call("GET", _one(endpoint))
    _print([answer.body], answer.body, as_json)
    if not as_json:
        _print_more(answer.body)


@app.command()
@command
async def change(
    endpoint: EndpointId,
    *,
    address: Annotated[str | None, typer.Option(show_default=False)] = None,
    types: Types = None,
    channels: Channels = None,
    categories: Categories = None,
    topics: Topics = None,
    templates: Templates = None,
    tags: Tags = None,
    description: Description = None,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Change what is given, and leave the rest."""
    given = _filters(
        types=types, channels=channels, categories=categories, topics=topics, templates=templates, tags=tags
    )
    wished: dict[str, Any] = {"url": address, "description": description}
    async with connect(url, key) as client:
        body = await _put(client, endpoint, {name: one for name, one in wished.items() if one is not None}, given)
    _print([body], body, as_json)


@app.command()
@command
async def enable(endpoint: EndpointId, *, url: Url = DEFAULT_URL, key: Key = "", as_json: Json = False) -> None:
    """Call it again from now on; `replay` brings back what it missed."""
    async with connect(url, key) as client:
        body = await _put(client, endpoint, {"enabled": True})
    _print([body], body, as_json)


@app.command()
@command
async def disable(endpoint: EndpointId, *, url: Url = DEFAULT_URL, key: Key = "", as_json: Json = False) -> None:
    """Call it no more; what waits for it is dropped."""
    async with connect(url, key) as client:
        body = await _put(client, endpoint, {"enabled": False})
    _print([body], body, as_json)


@app.command()
@command
async def remove(endpoint: EndpointId, *, url: Url = DEFAULT_URL, key: Key = "") -> None:
    """Tell it nothing any more."""
    async with connect(url, key) as client:
        await client.call("DELETE", _one(endpoint))
    notes.print(f"{endpoint} is removed")


@app.command()
@command
async def rotate(
    endpoint: EndpointId,
    *,
    overlap: Annotated[str, typer.Option(help="How long the old secret counts as well: 0s to 7d.")] = "24h",
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Make its next secret and print it, this once."""
    async with connect(url, key) as client:
        answer = await client.call("POST", f"{_one(endpoint)}/rotate", body={"overlap": overlap})
    _print_secret(answer.body, as_json)


@app.command("test")
@command
async def try_out(endpoint: EndpointId, *, url: Url = DEFAULT_URL, key: Key = "", as_json: Json = False) -> None:
    """Send it an event that nothing happened for, and say what it answered; status 1 unless that was 2xx."""
    async with connect(url, key) as client:
        trial = (await client.call("POST", f"{_one(endpoint)}/test")).body
    said = trial["detail"] if trial["status"] is None else f"It answered {trial['status']}"
    if as_json:
        print_json(trial)
    elif trial["taken"]:
        notes.print(f"{said} in {trial['milliseconds']} ms.")
    if not trial["taken"]:
        raise fail(f"{said.rstrip('.')}; it must answer 2xx.")


@app.command()
@command
async def replay(
    endpoint: EndpointId,
    *,
    since: Annotated[str, typer.Option(help="RFC 3339.")],
    until: Annotated[str | None, typer.Option(help="RFC 3339; left out: now.", show_default=False)] = None,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Tell it once more what it wants of the events of a time, each under the id that it had."""
    body = {"since": since} if until is None else {"since": since, "until": until}
    async with connect(url, key) as client:
        answer = await client.call("POST", f"{_one(endpoint)}/replay", body=body)
    if as_json:
        print_json(answer.body)
    else:
        notes.print(f"{endpoint} hears again of {answer.body['since']} to {answer.body['until']}")


def _one(endpoint: str) -> str:
    return f"{_PATH}/{in_path(endpoint)}"


def _filters(**given: list[Any] | None) -> dict[str, list[Any]]:
    """Those that were given."""
    return {name: values for name, values in given.items() if values}


async def _put(client: Client, endpoint: str, wished: dict[str, Any], filters: dict[str, Any] | None = None) -> Any:
    """The endpoint as it stands with these changes."""
    stands = (await client.call("GET", _one(endpoint))).body
    kept = {name: stands[name] for name in ("url", "description", "filters", "enabled")}
    body = {**kept, **wished, "filters": {**kept["filters"], **(filters or {})}}
    return (await client.call("PUT", _one(endpoint), body=body)).body


def _print(rows: list[Any], document: Any, as_json: bool) -> None:
    if as_json:
        print_json(document)
    else:
        print_table("", _COLUMNS, [[row[name] for name in _COLUMNS] for row in rows])


def _print_more(endpoint: Any) -> None:
    wanted = {name: ", ".join(values) for name, values in endpoint["filters"].items() if values}
    for name, values in wanted.items():
        notes.print(f"{name}: {values}")
    if failure := endpoint["last_failure"]:
        notes.print(f"last failure: {failure['at']}: {failure['detail']}")


def _print_secret(endpoint: Any, as_json: bool) -> None:
    _print([endpoint], endpoint, as_json)
    if not as_json:
        notes.print(f"The secret of {endpoint['id']}, which is not shown again:")
        typer.echo(endpoint["secret"])
