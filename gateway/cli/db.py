"""`heliograph db`: the tables of the store, and the trail of what people did by hand."""

from datetime import datetime
from typing import Annotated

import typer

from gateway.bootstrap import SystemClock, copy_store, open_records, read_revisions, upgrade_store
from gateway.cli.output import Json, command, fail, notes, print_json, print_table
from gateway.cli.progress import Advance, showing_steps
from gateway.configuration import load_settings
from gateway.domain.audit import Actor, AuditAction, AuditEntry
from gateway.domain.instants import rfc3339
from gateway.domain.recipients import JsonValue
from gateway.logs import configure_logs
from gateway.ports import AuditQuery
from gateway.settings import Settings
from gateway.web.schemas.common import parse_instant

app = typer.Typer(
    no_args_is_help=True, help="Look at the store's tables, bring them up to date, copy them; read the audit trail."
)

_AUDIT = ("at", "actor", "action", "subject", "reason", "data")
_Pre = Annotated[
    bool,
    typer.Option("--pre", help="Only what the version before can live with; for before the new one starts."),
]
_From = Annotated[str | None, typer.Option("--from", metavar="URL", help="The store to copy; left out, store.url.")]
_To = Annotated[str, typer.Option("--to", metavar="URL", help="An empty store, such as postgresql://user@host/name.")]


@app.command()
@command
async def upgrade(*, pre: _Pre = False) -> None:
    """Bring the tables up to date; safe to repeat, and to run from several places at once."""
    settings = _settings()
    await upgrade_store(settings, SystemClock(), pre=pre)
    stored, _ = await read_revisions(settings)
    notes.print(f"The store is at revision {stored}.")


@app.command()
@command
async def current(*, as_json: Json = False) -> None:
    """Show which revision the store is at and which one this version needs; exit status 1 where they differ."""
    stored, needed = await read_revisions(_settings())
    if as_json:
        print_json({"store": stored, "needed": needed})
    else:
        print_table("", ("store", "needed"), [(stored or "none yet", needed)])
    if stored != needed:
        raise typer.Exit(1)


@app.command()
@command
async def copy(target: _To, source: _From = None, *, as_json: Json = False) -> None:
    """Copy every row of a store into an empty one, between SQLite and PostgreSQL or within one of them.

    Stop every `serve` and `worker` on both first. Either all rows are there at the end, counted, or none.
    """
    url = source or _settings().store.url
    steps: dict[str, Advance] = {}
    with showing_steps() as shown:

        def advance(table: str, done: int, total: int) -> None:
            if table not in steps and total:
                steps[table] = shown.begin(table, total)
            if table in steps:
                steps[table](done)

        counts = await copy_store(url, target, SystemClock(), advance)
    if as_json:
        print_json(dict(counts))
    else:
        print_table("", ("table", "rows"), [*counts.items(), ("all", sum(counts.values()))])


@app.command()
@command
async def audit(
    *,
    action: Annotated[AuditAction | None, typer.Option(help="Only such deeds.", show_default=False)] = None,
    actor: Annotated[
        str | None, typer.Option(help="key:<id>, recipient, console or system.", show_default=False)
    ] = None,
    subject: Annotated[str | None, typer.Option(help="The id of what it was done to.", show_default=False)] = None,
    recipient: Annotated[
        str | None, typer.Option(metavar="SERVICE/ID", help="A person, also one who was erased.", show_default=False)
    ] = None,
    since: Annotated[str | None, typer.Option(help="RFC 3339.", show_default=False)] = None,
    until: Annotated[str | None, typer.Option(help="RFC 3339; left out itself.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    as_json: Json = False,
) -> None:
    """Show who cancelled, retried, lifted, exported or erased what, and why; newest first."""
    async with open_records(_settings()) as records:
        if recipient is not None:
            service, _, recipient_id = recipient.partition("/")
            if not recipient_id:
                raise fail(f"--recipient {recipient}: give SERVICE/ID, such as default/{recipient}.", 2)
            owner = await records.services.find_service(service)
            subject = records.pseudonyms.of_person(owner.id, recipient_id)
        query = AuditQuery(
            action=action,
            actor=None if actor is None else Actor(actor),
            subject=subject,
            since=_instant("--since", since),
            until=_instant("--until", until),
        )
        page = await records.audit.list_audit(query, limit, None)
    rows = [_entry_json(entry) for entry in page.items]
    if as_json:
        print_json({"items": rows})
    else:
        print_table("", _AUDIT, [[_shown(row[name]) for name in _AUDIT] for row in rows])


def _entry_json(entry: AuditEntry) -> dict[str, JsonValue]:
    return {
        "id": entry.id,
        "at": rfc3339(entry.at),
        "actor": entry.actor,
        "service_id": entry.service_id,
        "action": entry.action.value,
        "subject": entry.subject,
        "reason": entry.reason,
        "data": dict(entry.data),
    }


def _shown(value: JsonValue) -> JsonValue:
    return ", ".join(f"{name}={one}" for name, one in value.items()) if isinstance(value, dict) else value


def _instant(option: str, text: str | None) -> datetime | None:
    try:
        return None if text is None else parse_instant(text)
    except ValueError as error:
        raise fail(f"{option}: {error}", 2) from error


def _settings() -> Settings:
    settings = load_settings().settings
    # Before the store speaks: its logs must not stand among a command's data.
    configure_logs(settings.log)
    return settings
