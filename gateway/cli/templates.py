"""`heliograph templates`: what can be sent, how it looks, and whether a folder of templates is sound."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.client import DEFAULT_URL, Key, Url, connect
from gateway.cli.output import Json, command, fail, missing_note, notes, print_json, print_table
from gateway.cli.values import in_path, parse_object
from gateway.configuration import load_settings
from gateway.domain.recipients import Channel
from gateway.localization.locales import UnknownLocale, parse_locale
from gateway.logs import configure_logs
from gateway.rendering.registry import TemplateLibrary
from gateway.rendering.templates import Snapshot
from gateway.resources import shipped_templates
from gateway.settings import LogSettings

app = typer.Typer(no_args_is_help=True, help="Look at templates and check them.")


@app.command("list")
@command
async def list_templates(*, url: Url = DEFAULT_URL, key: Key = "", as_json: Json = False) -> None:
    """List what can be sent."""
    async with connect(url, key) as client:
        answer = await client.call("GET", "/v1/templates")
    if as_json:
        print_json(answer.body)
        return
    rows = [
        (each["name"], each["category"], each["topic"], ", ".join(each["channels"]), each["description"])
        for each in answer.body["items"]
    ]
    print_table("", ("name", "category", "topic", "channels", "description"), rows)


@app.command()
@command
async def show(template: str, *, url: Url = DEFAULT_URL, key: Key = "", as_json: Json = False) -> None:
    """Show a template's variables and the names of its samples."""
    async with connect(url, key) as client:
        found = (await client.call("GET", f"/v1/templates/{in_path(template)}")).body
    if as_json:
        print_json(found)
        return
    rows = [
        (name, variable["type"], _marks(variable), variable["max_length"])
        for name, variable in found["variables"].items()
    ]
    print_table(f"{found['name']}: {found['description']}", ("variable", "type", "", "longest"), rows)
    print_table("", ("sample",), [(name,) for name in found["samples"]])


def _marks(variable: dict[str, Any]) -> str:
    return ", ".join(mark for mark in ("optional", "secret") if variable[mark])


@app.command()
@command
async def preview(
    template: str,
    channel: Channel,
    *,
    locale: Annotated[
        str | None, typer.Option(help="BCP 47, or the pseudo-locales en-XA and ar-XB.", show_default=False)
    ] = None,
    timezone: Annotated[str | None, typer.Option(help="IANA, such as Europe/Paris.", show_default=False)] = None,
    sample: Annotated[str | None, typer.Option(help="Left out: the first one.", show_default=False)] = None,
    data: Annotated[
        str | None, typer.Option(help="JSON object, @file, or - for standard input.", show_default=False)
    ] = None,
    at: Annotated[str | None, typer.Option(help="Instant, RFC 3339; left out: now.", show_default=False)] = None,
    as_html: Annotated[bool, typer.Option("--html", help="Print the HTML of an e-mail alone, for a browser.")] = False,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Show TEMPLATE on CHANNEL as it would be sent; nothing is sent."""
    if as_html and channel is not Channel.EMAIL:
        raise fail("--html: only an e-mail has HTML", 2)
    asked = {"locale": locale, "timezone": timezone, "sample": sample, "at": at}
    body: dict[str, Any] = {"channel": channel, **{name: value for name, value in asked.items() if value is not None}}
    if data is not None:
        body["data"] = parse_object("--data", data)
    async with connect(url, key) as client:
        answer = await client.call("POST", f"/v1/templates/{in_path(template)}/preview", body=body)
    if as_json:
        print_json(answer.body)
        return
    found, content = answer.body["locale"], answer.body["content"]
    if as_html:
        typer.echo(content["html"])
    else:
        # People read the text of an e-mail; its markup is for a browser.
        rows = [(name, value) for name, value in content.items() if value not in (None, "", {}) and name != "html"]
        print_table(f"{template} in {found['resolved']}", ("part", "text"), rows)
    if found["missing"]:
        notes.print(missing_note(found), markup=False)


@app.command()
def check(
    folder: Annotated[
        Path | None, typer.Argument(help="Left out: the folder in the settings.", show_default=False)
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Check every template of a folder as the gateway would before it serves it; exit status 1 if one is refused."""
    snapshot = asyncio.run(_load(folder))
    if as_json:
        print_json({"sound": list(snapshot.names), "refused": dict(snapshot.broken)})
    for name, problem in snapshot.broken.items():
        notes.print(f"{name}: {problem}", style="red")
    if snapshot.broken:
        raise typer.Exit(1)
    notes.print(f"Sound templates: {len(snapshot.names)}.")


async def _load(folder: Path | None) -> Snapshot:
    configure_logs(LogSettings(level="error"))
    settings = load_settings().settings
    root = folder or settings.content.templates or shipped_templates()
    if not root.is_dir():
        raise fail(f"{root} is no folder", 2)
    try:
        library = TemplateLibrary(root, default=parse_locale(settings.locales.default))
    except UnknownLocale as error:
        raise fail(f"locales.default: {error}") from error
    await library.refresh()
    return library.snapshot
