"""`heliograph messages inbound` and `receive`: what people texted, and a text as if someone had sent it."""

from typing import Annotated

import typer

from gateway.bootstrap import SystemClock, sign_text
from gateway.cli.client import DEFAULT_URL, Key, Url, connect, post_signed
from gateway.cli.output import Json, command, notes, print_json, print_table
from gateway.configuration import load_settings


@command
async def list_inbound(
    *,
    meaning: Annotated[
        str | None,
        typer.Option(
            "--meaning", help="stop, start, help, unclear (a person has to look) or other.", show_default=False
        ),
    ] = None,
    sender: Annotated[
        str | None, typer.Option("--from", help="Whose texts: E.164, such as +33612345678.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 20,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """List the texts that came in, newest first."""
    filters = {"meaning": meaning, "sender": sender, "limit": str(limit)}
    params = {name: value for name, value in filters.items() if value is not None}
    async with connect(url, key) as client:
        answer = await client.call("GET", "/v1/inbound", params=params)
    if as_json:
        print_json(answer.body)
        return
    rows = [
        (text["id"], text["at"], text["sender"], text["meaning"], text["text"], text["handled"].get("reply"))
        for text in answer.body["items"]
    ]
    print_table("", ("id", "at", "from", "meaning", "text", "reply"), rows)


@command
async def receive(
    text: Annotated[str, typer.Argument(help="What the person writes, such as STOP.")],
    *,
    sender: Annotated[str, typer.Option("--from", help="Whose text it is: E.164, such as +33612345678.")],
    to: Annotated[str, typer.Option("--to", help="Our own number or sender name that it goes to.")] = "",
    event_id: Annotated[
        str | None, typer.Option("--id", help="Told twice, it counts once. Left out: a new one.", show_default=False)
    ] = None,
    mailbox: Annotated[
        str | None, typer.Option("--mailbox", help="Which mailbox, if there are several.", show_default=False)
    ] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Hand in a text as if someone had sent it to a mailbox, signed with what this machine's settings say."""
    settings = load_settings().settings
    signed = await sign_text(
        settings, SystemClock(), sender=sender, to=to, text=text, event_id=event_id, mailbox=mailbox
    )
    await post_signed(url, signed.path, signed.headers, signed.body)
    notes.print("taken")
