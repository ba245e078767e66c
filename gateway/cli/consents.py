"""`heliograph consents`: what people want to get, and ever said of it."""

import re
from typing import Annotated, Any

import typer

from gateway.bootstrap import open_records
from gateway.cli.bulk.imports import Import, run_import
from gateway.cli.bulk.options import Errors, Resume, Source, Written
from gateway.cli.bulk.rows import Cell
from gateway.cli.client import DEFAULT_URL, Key, Url, connect
from gateway.cli.output import Json, command, fail, notes, print_json, print_table
from gateway.cli.progress import Advance, showing_steps
from gateway.cli.values import in_path, parse_object
from gateway.configuration import load_settings
from gateway.delivery.people.ledger import Verification, verify
from gateway.domain.ids import ServiceId
from gateway.domain.ledger import Head
from gateway.domain.preferences import ConsentState
from gateway.domain.recipients import Channel

app = typer.Typer(no_args_is_help=True, help="Say and read what a person wants, and check the ledger of it.")

_IMPORTED = {
    "id": Cell.TEXT,
    "channel": Cell.TEXT,
    "topic": Cell.TEXT,
    "state": Cell.TEXT,
    "source": Cell.TEXT,
    "at": Cell.TEXT,
    "wording": Cell.TEXT,
    "wording_version": Cell.TEXT,
    "locale": Cell.TEXT,
    "evidence": Cell.JSON,
}
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
    wording_version: Annotated[str | None, typer.Option(help="Which version of it.", show_default=False)] = None,
    locale: Annotated[str | None, typer.Option(help="Its language: BCP 47, such as fr-CA.", show_default=False)] = None,
    evidence: Annotated[str, typer.Option(help="JSON object: what proves it.")] = "{}",
    at: Annotated[
        str | None, typer.Option(help="When it was said, RFC 3339; left out: now.", show_default=False)
    ] = None,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Add a line to a person's history: STATE for TOPIC on CHANNEL."""
    said = {"channel": channel, "topic": topic, "state": state, "source": source, "at": at}
    shown = {"wording": wording, "wording_version": wording_version, "locale": locale}
    line = {**said, **shown, "evidence": parse_object("--evidence", evidence) or None}
    body = {"consents": [{name: value for name, value in line.items() if value is not None}]}
    async with connect(url, key) as client:
        answer = await client.call("PUT", _path(recipient_id), body=body)
    _print(answer.body, as_json)


@app.command("list")
@command
async def list_consents(
    recipient_id: str,
    *,
    at: Annotated[str | None, typer.Option(help="What held then, RFC 3339; left out: now.", show_default=False)] = None,
    known_at: Annotated[
        str | None, typer.Option(help="Only by what was recorded until then, RFC 3339.", show_default=False)
    ] = None,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Show what holds for each channel and topic, or held at a past instant."""
    async with connect(url, key) as client:
        params = {name: value for name, value in (("at", at), ("known_at", known_at)) if value is not None}
        answer = await client.call("GET", _path(recipient_id), params=params)
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


@app.command("import")
@command
async def import_consents(
    source: Source,
    *,
    written: Written = None,
    errors: Errors = None,
    resume: Resume = False,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Take over what people granted or denied elsewhere, from FILE.

    Columns: id (the person), channel, topic, state (granted, denied), source, at (RFC 3339), wording, wording_version,
    locale, evidence (JSON) or evidence.NAME. A grant without source or at is refused. A file may be imported again:
    the same line is kept once. Exit status 0: all are there; 3: some were refused; 1: the gateway went away, and
    --resume goes on; 2: wrong use.
    """
    plan = Import(title="consents", path="/v1/consents/batch", member="consents", columns=_IMPORTED)
    async with connect(url, key) as client:
        await run_import(client, plan, source, written, errors=errors, resume=resume, as_json=as_json)


@app.command("verify")
@command
async def verify_ledger(
    *,
    noted: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SERVICE:LINES:HASH",
            help="An end of a chain that was printed before: it must still be part of the chain. May be repeated.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check every line that was ever said, in the store of the settings; exit status 1 if one was touched.

    Names each line that was changed, removed, put in or moved. Prints where each service's chain ends: whoever notes
    that elsewhere can pass it with --noted later, and see that nothing before it was written anew.
    """
    ends = tuple(_end_of(text) for text in noted or ())
    async with open_records(load_settings().settings) as records:
        with showing_steps() as steps:
            begun: list[Advance] = []

            def progress(done: int, total: int) -> None:
                if not begun:
                    begun.append(steps.begin("lines", total))
                begun[0](done)

            found = await verify(records.ledger, records.audit, records.pseudonyms.of_person, ends, progress)
    _report(found, as_json)
    if found.findings:
        raise typer.Exit(1)


def _end_of(text: str) -> Head:
    shaped = re.fullmatch(r"([\w-]+):(\d+):([0-9a-f]{64})", text)
    if shaped is None:
        raise fail(f"--noted {text}: give SERVICE:LINES:HASH as `verify` printed it.", 2)
    return Head(service_id=ServiceId(shaped.group(1)), length=int(shaped.group(2)), hash=shaped.group(3))


def _report(found: Verification, as_json: bool) -> None:
    findings = [
        {
            "service_id": finding.service_id,
            "line": finding.position,
            "id": finding.consent_id,
            "fault": finding.fault.value,
            "told": finding.told,
        }
        for finding in found.findings
    ]
    ends = [f"{head.service_id}:{head.length}:{head.hash}" for head in found.heads if head.length]
    if as_json:
        told = {"lines": found.lines, "erased": found.erased, "ends": ends, "findings": findings}
        print_json({"whole": not findings, **told})
        return
    print_table("", ("end of chain",), [[end] for end in ends])
    if findings:
        print_table("", tuple(findings[0]), [list(finding.values()) for finding in findings])
        notes.print(f"{len(findings)} lines are not as they were recorded.", style="red")
    elif not found.lines:
        notes.print(
            "There is no line in the store of these settings: is it the gateway's? `heliograph config show` tells."
        )
    else:
        erased = f", {found.erased} of them of people who were erased" if found.erased else ""
        notes.print(f"{found.lines} lines{erased}: all as they were recorded.")


def _path(recipient_id: str) -> str:
    return f"/v1/recipients/{in_path(recipient_id)}/consents"


def _print(answer: Any, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        print_table("", _COLUMNS, [[line[name] for name in _COLUMNS] for line in answer["items"]])
