"""`heliograph send`, `explain` and `messages`: the HTTP API from a terminal, as another service would use it."""

import json
import tomllib
import uuid
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from gateway.cli import bounces, inbound
from gateway.cli.client import DEFAULT_URL, Client, Key, Url, connect
from gateway.cli.output import Json, command, fail, missing_note, notes, print_json, print_table
from gateway.cli.values import in_path, parse_object
from gateway.domain.encoding import encode

_TOLD: Final = ("decision", "rule", "reason", "provider", "outcome", "code")
"""What the timeline shows of an event's data, before its words."""
_WORDS: Final = ("detail", "told", "name", "reference", "link", "by")
"""What an event says in words: a provider's, or of a conversion, a click or an opening."""

app = typer.Typer(no_args_is_help=True, help="Look at messages and steer them.")

To = Annotated[str | None, typer.Option("--to", help="Recipient id.", show_default=False)]
Email = Annotated[str | None, typer.Option("--email", show_default=False)]
Phone = Annotated[str | None, typer.Option("--phone", help="E.164, such as +33612345678.", show_default=False)]
LocaleOption = Annotated[str | None, typer.Option("--locale", help="BCP 47, such as fr-CA.", show_default=False)]
TimeZone = Annotated[str | None, typer.Option("--timezone", help="IANA, such as Europe/Paris.", show_default=False)]
Channels = Annotated[list[str] | None, typer.Option("--channel", help="Repeat for several.", show_default=False)]
Data = Annotated[str, typer.Option("--data", help="JSON object, @file, or - for standard input.")]
SampleName = Annotated[
    str | None, typer.Option("--sample", help="Use this sample data set of the template.", show_default=False)
]


async def _values(client: Client, template: str, data: str, sample: str | None) -> dict[str, Any]:
    """The template's data: that of the sample, if one is asked for, under what is given."""
    values = parse_object("--data", data)
    if sample is None:
        return values
    samples = (await client.call("GET", f"/v1/templates/{in_path(template)}")).body["samples"]
    if sample not in samples:
        raise fail(f"--sample: {template} has {', '.join(samples)}", 2)
    return {**samples[sample], **values}


def _request(template: str, recipient: dict[str, str | None], channels: list[str] | None, data: Any) -> dict[str, Any]:
    body = {"template": template, "to": {k: v for k, v in recipient.items() if v is not None}, "data": data}
    return body | {"channels": channels} if channels else body


@command
async def send(
    template: str,
    *,
    to: To = None,
    email: Email = None,
    phone: Phone = None,
    locale: LocaleOption = None,
    timezone: TimeZone = None,
    channel: Channels = None,
    data: Data = "{}",
    sample: SampleName = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", show_default=False)] = None,
    idempotency_key: Annotated[
        str | None, typer.Option("--idempotency-key", help="Left out: a new one.", show_default=False)
    ] = None,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Send one message of TEMPLATE."""
    async with connect(url, key) as client:
        values = await _values(client, template, data, sample)
        recipient = {"id": to, "email": email, "phone": phone, "locale": locale, "timezone": timezone}
        body = _request(template, recipient, channel, values)
        if tag:
            body["tags"] = tag
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        answer = await client.call("POST", "/v1/messages", body=body, headers=headers)
    if as_json:
        print_json(answer.body)
    else:
        print_table("", ("id", "status"), [(answer.body["id"], answer.body["status"])])


@command
async def explain(
    template: str,
    *,
    to: To = None,
    email: Email = None,
    phone: Phone = None,
    locale: LocaleOption = None,
    timezone: TimeZone = None,
    channel: Channels = None,
    data: Data = "{}",
    sample: SampleName = None,
    at: Annotated[
        str | None, typer.Option("--at", help="Instant, RFC 3339; left out: now.", show_default=False)
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option(
            "--rules",
            help="A TOML file of quiet_hours and frequency_caps to try in place of all rules in force.",
            show_default=False,
        ),
    ] = None,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Say what would happen to such a message, and why; nothing is sent or stored."""
    recipient = {"id": to, "email": email, "phone": phone, "locale": locale, "timezone": timezone}
    async with connect(url, key) as client:
        body = _request(template, recipient, channel, await _values(client, template, data, sample))
        if at is not None:
            body["at"] = at
        if rules is not None:
            body["rules"] = _rules(rules)
        answer = await client.call("POST", "/v1/explain", body=body)
    if as_json:
        print_json(answer.body)
        return
    found = answer.body["locale"]
    if found["missing"]:
        notes.print(missing_note(found))
    for delivery in answer.body["deliveries"]:
        _print_decision(f"{delivery['channel']} in {found['resolved'] or '–'}", delivery)


def _print_decision(channel: str, decision: dict[str, Any]) -> None:
    """What policy says of one delivery, until when and by which rule, above what every rule saw."""
    words = [f"{channel}: {decision['decision']}"]
    if decision.get("not_before"):
        words.append(f"until {decision['not_before']}")
    if decision.get("reason"):
        words.append(f"({decision['reason']}, by the rule {decision['rule']})")
    steps = [(step["rule"], step["verdict"], json.dumps(step["saw"], ensure_ascii=False)) for step in decision["trace"]]
    print_table(" ".join(words), ("rule", "verdict", "saw"), steps)


def _rules(path: Path) -> dict[str, Any]:
    """What the file says, with its dates as JSON writes them."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise fail(f"--rules: {path}: {error}", 2) from error
    return dict(json.loads(encode(tables)))


def _absent(message_id: str) -> str:
    return (
        f"There is no message {message_id} that this key may see; `heliograph messages list` shows those that it may."
    )


@app.command("list")
@command
async def list_messages(
    *,
    status: Annotated[str | None, typer.Option(show_default=False)] = None,
    channel: Annotated[str | None, typer.Option(show_default=False)] = None,
    template: Annotated[str | None, typer.Option(show_default=False)] = None,
    recipient: Annotated[str | None, typer.Option(show_default=False)] = None,
    tag: Annotated[str | None, typer.Option(show_default=False)] = None,
    provider: Annotated[str | None, typer.Option(help="A configured name.", show_default=False)] = None,
    service: Annotated[
        str | None, typer.Option(help="Name or id; another service's messages need the scope ops.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 20,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """List messages, newest first."""
    filters = {
        "status": status,
        "channel": channel,
        "template": template,
        "recipient": recipient,
        "tag": tag,
        "provider": provider,
        "service": service,
    }
    params = {name: value for name, value in filters.items() if value is not None} | {"limit": str(limit)}
    async with connect(url, key) as client:
        answer = await client.call("GET", "/v1/messages", params=params)
    if as_json:
        print_json(answer.body)
        return
    rows = [
        (
            m["id"],
            m["status"],
            _each(m, "reason"),
            m["template"],
            _each(m, "channel"),
            _each(m, "provider"),
            m["locale"],
            m["created_at"],
        )
        for m in answer.body["items"]
    ]
    print_table("", ("id", "status", "reason", "template", "channels", "provider", "locale", "created"), rows)


def _each(message: dict[str, Any], name: str) -> str:
    """What the message's deliveries say under that name, each word once."""
    return ",".join(dict.fromkeys(d[name] for d in message["deliveries"] if d[name]))


@app.command()
@command
async def show(message_id: str, *, url: Url = DEFAULT_URL, key: Key = "", as_json: Json = False) -> None:
    """Show one message, its timeline, and what every rule said of each delivery."""
    async with connect(url, key) as client:
        message = (await client.call("GET", f"/v1/messages/{in_path(message_id)}", absent=_absent(message_id))).body
        events = (await client.call("GET", f"/v1/messages/{in_path(message_id)}/events")).body
    if as_json:
        print_json({**message, "events": events["items"]})
        return
    print_table(
        f"{message['id']}: {message['template']} in {message['locale'] or '–'}, {message['status']}",
        ("channel", "status", "reason", "not before", "provider", "attempts"),
        [
            (d["channel"], d["status"], d["reason"], d["not_before"], d["provider"], len(d["attempts"]))
            for d in message["deliveries"]
        ],
    )
    channels = {d["id"]: d["channel"] for d in message["deliveries"]}
    rows = [
        (
            event["at"],
            event["type"],
            channels.get(event["delivery_id"]),
            *(event["data"].get(name) for name in _TOLD),
            _in_words(event["data"]),
        )
        for event in events["items"]
    ]
    print_table("", ("at", "event", "channel", *_TOLD, "detail"), rows)
    for delivery in message["deliveries"]:
        if delivery.get("decision"):
            _print_decision(delivery["channel"], delivery["decision"])


def _in_words(data: dict[str, Any]) -> str:
    return "; ".join(str(data[name]) for name in _WORDS if data.get(name))


@app.command()
@command
async def cancel(
    message_id: str,
    *,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Why; kept in the timeline and the audit trail.", show_default=False)
    ] = None,
    url: Url = DEFAULT_URL,
    key: Key = "",
) -> None:
    """Take a message back, if no provider was called yet."""
    async with connect(url, key) as client:
        path = f"/v1/messages/{in_path(message_id)}/cancel"
        await client.call("POST", path, body={"reason": reason}, absent=_absent(message_id))
    notes.print(f"{message_id} is cancelled")


@app.command()
@command
async def retry(
    message_id: str,
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the timeline.", prompt=True)],
    url: Url = DEFAULT_URL,
    key: Key = "",
) -> None:
    """Try a failed delivery again, through the whole policy."""
    async with connect(url, key) as client:
        path = f"/v1/messages/{in_path(message_id)}/retry"
        await client.call("POST", path, body={"reason": reason}, absent=_absent(message_id))
    notes.print(f"{message_id} is on its way again")


app.command("bounce")(bounces.take_bounce)
app.command("inbound")(inbound.list_inbound)
app.command("receive")(inbound.receive)
