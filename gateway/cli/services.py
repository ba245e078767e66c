"""`heliograph services`: the calling applications and in whose name they write."""

import re
from datetime import UTC, datetime
from typing import Annotated

import typer

from gateway.bootstrap import open_services
from gateway.cli.output import Json, command, fail, notes, print_json, print_table
from gateway.configuration import load_settings
from gateway.delivery.accepting.addresses import BadAddress, check_country, parse_email, parse_phone
from gateway.delivery.upkeep.credentials import register_service
from gateway.domain.instants import rfc3339
from gateway.domain.recipients import Channel, JsonValue
from gateway.localization.locales import UnknownLocale, parse_locale, to_tag
from gateway.ports import SenderIdentity, Service

app = typer.Typer(no_args_is_help=True, help="Keep the services that may call, and their sender identities.")

_SENDER_HELP = (
    # The brackets are escaped because help texts are read as markup.
    "CHANNEL\\[/COUNTRY\\[/LOCALE]]:SENDER, such as 'email:Shop <shop@example.org>', 'sms/FR:+33700000000', "
    "'email//fr-CA:Boutique <boutique@example.org>'. Repeat for several."
)
Senders = Annotated[list[str] | None, typer.Option("--sender", help=_SENDER_HELP, show_default=False)]
Name = Annotated[str, typer.Argument(help="The service's name.")]


@app.command()
@command
async def create(name: Name, *, sender: Senders = None, as_json: Json = False) -> None:
    """Make a service; `heliograph keys create --service NAME` then makes its key."""
    identities = _parse_senders(sender)
    if not re.fullmatch(r"[\w][\w .\-]{0,63}", name):
        raise fail("A service's name has at most 64 letters, digits, spaces, dots and dashes.", 2)
    async with open_services(load_settings().settings) as store:
        service = await register_service(store, name, identities, datetime.now(UTC))
    _show(service, as_json)


@app.command("list")
@command
async def list_services(*, as_json: Json = False) -> None:
    """List the services by name."""
    async with open_services(load_settings().settings) as store:
        services = await store.list_services()
    if as_json:
        print_json([_service_json(service) for service in services])
        return
    rows = [(service.name, service.id, len(service.senders), rfc3339(service.created_at)) for service in services]
    print_table("", ("name", "id", "senders", "created"), rows)


@app.command()
@command
async def show(name: Name, *, as_json: Json = False) -> None:
    """Show one service with its sender identities."""
    async with open_services(load_settings().settings) as store:
        service = await store.find_service(name)
    _show(service, as_json)


@app.command()
@command
async def senders(name: Name, *, sender: Senders = None, as_json: Json = False) -> None:
    """Replace the sender identities of a service; without any --sender it keeps none."""
    identities = _parse_senders(sender)
    async with open_services(load_settings().settings) as store:
        service = await store.find_service(name)
        service = await store.update_senders(service.id, identities)
    _show(service, as_json)


def _show(service: Service, as_json: bool) -> None:
    if as_json:
        print_json(_service_json(service))
        return
    notes.print(f"{service.name} ({service.id})")
    rows = [(one.channel.value, one.country, one.locale, one.sender) for one in service.senders]
    if rows:
        print_table("", ("channel", "country", "locale", "sender"), rows)


def _service_json(service: Service) -> dict[str, JsonValue]:
    return {
        "id": service.id,
        "name": service.name,
        "senders": [
            {"channel": one.channel.value, "sender": one.sender, "country": one.country, "locale": one.locale}
            for one in service.senders
        ],
        "created_at": rfc3339(service.created_at),
    }


def _parse_senders(texts: list[str] | None) -> tuple[SenderIdentity, ...]:
    try:
        return tuple(_parse_sender(text) for text in texts or ())
    except ValueError as error:
        raise fail(f"--sender: {error}", 2) from error


_SHAPE = re.compile(r"(?P<channel>[a-z]+)(?:/(?P<country>[A-Za-z]*))?(?:/(?P<locale>[\w-]*))?:(?P<sender>.+)")
_NAME_OR_SHORT_CODE = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}|[0-9]{3,8}")
"""An alphanumeric sender has at most eleven characters (3GPP TS 23.040); short codes belong to one country."""


def _parse_sender(text: str) -> SenderIdentity:
    """Raises ValueError with the fix."""
    shaped = _SHAPE.fullmatch(text)
    if shaped is None or shaped["channel"] not in set(Channel):
        raise ValueError(f"write {_SENDER_HELP}")
    channel = Channel(shaped["channel"])
    return SenderIdentity(
        channel=channel,
        sender=_check_sender(channel, shaped["sender"].strip()),
        country=check_country(shaped["country"]) if shaped["country"] else None,
        locale=_check_locale(shaped["locale"]) if shaped["locale"] else None,
    )


def _check_locale(tag: str) -> str:
    try:
        return to_tag(parse_locale(tag))
    except UnknownLocale as error:
        raise ValueError(str(error)) from error


def _check_sender(channel: Channel, sender: str) -> str:
    if not sender.isprintable():
        raise ValueError("a sender holds no control characters")
    match channel:
        case Channel.EMAIL:
            name, bracket, address = sender.rpartition("<")
            bare = parse_email(address.removesuffix(">") if bracket else sender)
            return f"{name.strip()} <{bare}>" if bracket and name.strip() else bare
        case Channel.SMS:
            return sender if _NAME_OR_SHORT_CODE.fullmatch(sender) else _check_number(sender)
        case Channel.PUSH:
            return sender


def _check_number(sender: str) -> str:
    try:
        return parse_phone(sender)
    except BadAddress as error:
        raise ValueError(f"{error} Or give a name of at most eleven letters and digits.") from error
