"""`heliograph recipients`: people as the gateway keeps them."""

from typing import Annotated, Any

import typer

from gateway.cli.bulk.exports import run_export
from gateway.cli.bulk.imports import Import, run_import
from gateway.cli.bulk.options import Errors, Resume, Source, Target, Written
from gateway.cli.bulk.rows import Cell
from gateway.cli.client import DEFAULT_URL, Key, Url, connect
from gateway.cli.output import Json, command, notes, print_json, print_table
from gateway.cli.values import in_path, parse_object

app = typer.Typer(no_args_is_help=True, help="Keep, read, export and erase people.")

_COLUMNS = {
    "id": Cell.TEXT,
    "email": Cell.TEXT,
    "phone": Cell.TEXT,
    "push": Cell.JSON,
    "locale": Cell.TEXT,
    "timezone": Cell.TEXT,
    "country": Cell.TEXT,
    "region": Cell.TEXT,
    "attributes": Cell.JSON,
}
_DONE = 204
_LISTED = ("id", "email", "phone", "locale", "timezone", "country")
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


@app.command("list")
@command
async def list_recipients(
    *,
    email: Annotated[str | None, typer.Option(help="Those with one address.", show_default=False)] = None,
    phone: Annotated[str | None, typer.Option(help="Those with one number.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 50,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """List the people of the key's service, newest first."""
    asked = {"email": email, "phone": phone, "limit": str(limit)}
    params = {name: value for name, value in asked.items() if value is not None}
    async with connect(url, key) as client:
        answer = await client.call("GET", "/v1/recipients", params=params)
    if as_json:
        print_json(answer.body)
    else:
        print_table("", _LISTED, [[person[name] for name in _LISTED] for person in answer.body["items"]])


@app.command("import")
@command
async def import_recipients(
    source: Source,
    *,
    written: Written = None,
    errors: Errors = None,
    resume: Resume = False,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Keep the people of FILE, each in place of what was kept before under its id.

    Columns: id, email, phone, push (JSON), locale, timezone, country, region, attributes (JSON) or attributes.NAME.
    A file may be imported again: what is there already is replaced by the same. Exit status 0: all were kept; 3:
    some were refused; 1: the gateway went away, and --resume goes on; 2: wrong use.
    """
    plan = Import(
        title="recipients",
        path="/v1/recipients/batch",
        member="recipients",
        columns=_COLUMNS,
        key="id",
        remark=lambda result: "with a suppressed address" if result["suppressed"] else None,
    )
    async with connect(url, key) as client:
        await run_import(client, plan, source, written, errors=errors, resume=resume, as_json=as_json)


@app.command("export")
@command
async def export_recipients(target: Target, *, written: Written = None, url: Url = DEFAULT_URL, key: Key = "") -> None:
    """Write the people of the key's service to FILE, in the columns that `import` reads."""
    async with connect(url, key) as client:
        await run_export(client, target, written, title="recipients", path="/v1/recipients", columns=_COLUMNS)


@app.command()
@command
async def report(
    recipient_id: str,
    *,
    reason: Annotated[str | None, typer.Option(help="Why; kept in the audit trail.", show_default=False)] = None,
    url: Url = DEFAULT_URL,
    key: Key = "",
) -> None:
    """Print all that is held on a person, as JSON: the record, consents, suppressions, messages and the rest."""
    params = {} if reason is None else {"reason": reason}
    async with connect(url, key) as client:
        answer = await client.call(
            "GET", f"/v1/recipients/{in_path(recipient_id)}/export", params=params, absent=_absent(recipient_id)
        )
    print_json(answer.body)


@app.command()
@command
async def erase(
    recipient_id: str,
    *,
    reason: Annotated[str | None, typer.Option(help="Why; kept in the audit trail.", show_default=False)] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    url: Url = DEFAULT_URL,
    key: Key = "",
) -> None:
    """Erase everything that can be read of a person; what must outlive them stays unreadable. No way back."""
    if not yes:
        typer.confirm(f"Erase {recipient_id} from every message, for good?", abort=True, err=True)
    params = {} if reason is None else {"reason": reason}
    async with connect(url, key) as client:
        path = f"/v1/recipients/{in_path(recipient_id)}"
        answer = await client.call("DELETE", path, params=params, absent=_absent(recipient_id))
    is_done = answer.status == _DONE
    notes.print(f"{recipient_id} is erased" if is_done else f"{recipient_id} is unknown; the rest is under way")


def _absent(recipient_id: str) -> str:
    return f"Nothing is kept under {recipient_id} by the key's service; `heliograph recipients list` shows who is."


def _print(recipient: Any, as_json: bool) -> None:
    if as_json:
        print_json(recipient)
    else:
        print_table("", ("field", "value"), [(name, value) for name, value in recipient.items() if value])
