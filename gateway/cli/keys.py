"""`heliograph keys`: what services call with."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from gateway.bootstrap import open_services
from gateway.cli.output import Json, command, fail, notes, print_json, print_table
from gateway.configuration import load_settings
from gateway.delivery.upkeep.credentials import find_or_register, issue_key, rotate_key
from gateway.domain.durations import parse_duration
from gateway.domain.ids import KeyId
from gateway.domain.instants import rfc3339_or_none
from gateway.domain.keys import Scope, Token, parse_rate, parse_scopes, parse_token
from gateway.domain.recipients import JsonValue
from gateway.ports import ApiKey

app = typer.Typer(no_args_is_help=True, help="Make, list, rotate and revoke API keys.")

_SCOPES = ", ".join(Scope)
KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="The key's id (key_…), as `keys list` shows it.")]


@app.command()
@command
async def create(
    *,
    service: Annotated[str, typer.Option("--service", help="Its service; one of that name is made if there is none.")],
    scope: Annotated[
        list[str] | None, typer.Option("--scope", help=f"Of {_SCOPES}. Left out: send, read.", show_default=False)
    ] = None,
    rate: Annotated[str | None, typer.Option("--rate", help="Such as 50/s. Left out: no limit.")] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", help="Such as 90d, or an instant such as 2027-01-01T00:00:00Z.")
    ] = None,
    test: Annotated[bool, typer.Option("--test", help="A test key: the mailbox gets all its messages.")] = False,
    as_json: Json = False,
) -> None:
    """Make a key and print it, once: only its hash is kept."""
    now = datetime.now(UTC)
    try:
        scopes = parse_scopes(scope or ())
        rate_per_second = None if rate is None else parse_rate(rate)
        expires_at = None if expires is None else _parse_end(expires, now)
    except ValueError as error:
        raise fail(str(error), 2) from error
    async with open_services(load_settings().settings) as store:
        owner = await find_or_register(store, service, now)
        token = await issue_key(
            store,
            owner.id,
            live=not test,
            scopes=scopes,
            rate_per_second=rate_per_second,
            expires_at=expires_at,
            now=now,
        )
    _show_once(token, as_json)


@app.command("list")
@command
async def list_keys(
    *,
    service: Annotated[str | None, typer.Option("--service", help="Only this service's.", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """List keys, newest first; secrets are not kept and cannot be shown."""
    async with open_services(load_settings().settings) as store:
        names = {each.id: each.name for each in await store.list_services()}
        wanted = None if service is None else (await store.find_service(service)).id
        keys = await store.list_keys(wanted)
    shown = [_key_json(key, names[key.service_id]) for key in keys]
    if as_json:
        print_json(shown)
        return
    columns = ("id", "service", "kind", "scopes", "rate_per_second", "expires_at", "revoked_at")
    rows = [[_cell(row[column]) for column in columns] for row in shown]
    print_table("", ("key", "service", "kind", "scopes", "rate/s", "expires", "revoked"), rows)


@app.command()
@command
async def revoke(key: KeyArgument) -> None:
    """From now on the key opens nothing; running gateways notice within about a second."""
    async with open_services(load_settings().settings) as store:
        await store.revoke_key(_key_id(key), datetime.now(UTC))
    notes.print("Revoked.")


@app.command()
@command
async def rotate(
    key: KeyArgument,
    *,
    overlap: Annotated[str, typer.Option("--overlap", help="How long the old key still opens.")] = "24h",
    as_json: Json = False,
) -> None:
    """Make a new key with the same rights, and let the old one end after the overlap."""
    now = datetime.now(UTC)
    try:
        old_ends_at = now + parse_duration(overlap)
    except (ValueError, OverflowError) as error:
        raise fail(f"--overlap: {error}", 2) from error
    async with open_services(load_settings().settings) as store:
        token = await rotate_key(store, _key_id(key), old_ends_at=old_ends_at, now=now)
    _show_once(token, as_json)


def _show_once(token: Token, as_json: bool) -> None:
    if as_json:
        print_json({"key": token.text, "id": token.id})
        return
    notes.print("Keep it now; it is not shown again.")
    typer.echo(token.text)


def _key_id(text: str) -> KeyId:
    """The id that is meant; a whole key pasted by mistake names itself."""
    token = parse_token(text)
    return token.id if token is not None else KeyId(text)


def _parse_end(text: str, now: datetime) -> datetime:
    """An instant from a duration or RFC 3339. Raises ValueError with the fix."""
    try:
        end = datetime.fromisoformat(text)
    except ValueError:
        try:
            end = now + parse_duration(text)
        except (ValueError, OverflowError) as error:
            raise ValueError("--expires takes a duration such as 90d, or an instant with its zone.") from error
    if end.tzinfo is None or end - now <= timedelta(0):
        raise ValueError("--expires takes an instant in the future, with its zone, such as 2027-01-01T00:00:00Z.")
    return end.astimezone(UTC)


def _key_json(key: ApiKey, service: str) -> dict[str, JsonValue]:
    return {
        "id": key.id,
        "service": service,
        "kind": "live" if key.live else "test",
        "scopes": [*sorted(key.scopes)],
        "rate_per_second": key.rate_per_second,
        "created_at": rfc3339_or_none(key.created_at),
        "expires_at": rfc3339_or_none(key.expires_at),
        "revoked_at": rfc3339_or_none(key.revoked_at),
    }


def _cell(value: JsonValue) -> JsonValue:
    return ", ".join(map(str, value)) if isinstance(value, list) else value
