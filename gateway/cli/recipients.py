"""`heliograph recipients`: people as the gateway keeps them."""

from typing import Annotated, Any

import typer

from gateway.cli.client import DEFAULT_URL, Key, Url, connect
from gateway.cli.output import Json, command, print_json, print_table
from gateway.cli.values import in_path, parse_object

app = typer.Typer(no_args_is_help=True, help="Keep and read people.")

Text = Annotated[str | None, typer.Option(show_default=False)]


@app.command()
@command
async def put(
    recipient_id: str,
    *,
    email: Text = None,
    phone: Annotated[str | None, typer.Option(help="E.164, such as +33612345678.", show_default=False)] = None,
    locale: Annotated[str | None, typer.Option(help="BCP 47, such as fr-CA.", show_default=False)] = None,
    timezone: Annotated[str | None, typer.Option(help="IANA, such as Europe/Paris.", show_default=False)] = None,
    country: Annotated[str | None, typer.Option(help="ISO 3166-1, such as CA.", show_default=False)] = None,
    region: Annotated[str | None, typer.Option(help="ISO 3166-2, such as CA-QC.", show_default=False)] = None,
    attributes: Annotated[str, typer.Option(help="JSON object: what templates may know of the person.")] = "{}",
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Keep a person under RECIPIENT_ID, in place of what was kept before."""
    given: dict[str, Any] = {
        "email": email,
        "phone": phone,
        "locale": locale,
        "timezone": timezone,
        "country": country,
        "region": region,
    }
    body = {name: value for name, value in given.items() if value is not None}
    if known := parse_object("--attributes", attributes):
        body["attributes"] = known
    async with connect(url, key) as client:
        answer = await client.call("PUT", f"/v1/recipients/{in_path(recipient_id)}", body=body)
    _print(answer.body, as_json)


@app.command()
@command
async def get(recipient_id: str, *, url: Url = DEFAULT_URL, key: Key = "", as_json: Json = False) -> None:
    """Read what is kept of a person."""
    async with connect(url, key) as client:
        answer = await client.call("GET", f"/v1/recipients/{in_path(recipient_id)}")
    _print(answer.body, as_json)


def _print(recipient: Any, as_json: bool) -> None:
    if as_json:
        print_json(recipient)
    else:
        print_table("", ("field", "value"), [(name, value) for name, value in recipient.items() if value])
