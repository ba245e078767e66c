"""`heliograph messages bounce`: a mail that came back, from a mail server that pipes it in."""

import asyncio
import sys
from collections.abc import Iterator
from email.parser import BytesHeaderParser
from email.utils import getaddresses
from typing import Annotated, Final

import typer

from gateway.bootstrap import open_bounces
from gateway.cli.output import command, fail, notes
from gateway.configuration import load_settings
from gateway.errors import GatewayError

_NO_USER: Final = 67
_BRING_AGAIN: Final = 75
"""What mail servers understand (sysexits.h); of any other failure they tell whoever sent the mail."""
_MOST_BYTES: Final = 10 * 1024 * 1024
_NAMING: Final = ("X-Original-To", "Delivered-To", "Envelope-To", "To")
"""Where mail servers write whom a mail came for, and last what its sender wrote."""


@command
async def take_bounce(
    *,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", help="The address that it came to. Left out: the one that its headers name.", show_default=False
        ),
    ] = None,
) -> None:
    """Take in a mail that came back, from standard input, for a mail server that pipes it in.

    Works on the store, with or without a running gateway. The exit status is what mail servers understand: 0 when it
    is kept or tells nothing, 67 when no mail is expected at that address, 75 when it should be brought again, since the
    store is away or the settings are wrong.
    """
    mail = (await asyncio.to_thread(sys.stdin.buffer.read, _MOST_BYTES + 1))[:_MOST_BYTES]
    try:
        async with open_bounces(load_settings().settings) as desk:
            for address in [to] if to is not None else _named(mail):
                if (expected := await desk.expect(address)) is not None:
                    await desk.take_in(expected, mail)
                    notes.print("taken")
                    return
    except GatewayError as error:
        raise fail(error.message, _BRING_AGAIN) from error
    raise fail("No mail is expected at that address.", _NO_USER)


def _named(mail: bytes) -> Iterator[str]:
    """The addresses in the headers, those first that a mail server wrote."""
    headers = BytesHeaderParser().parsebytes(mail)
    for name in _NAMING:
        yield from (address for _, address in getaddresses([str(one) for one in headers.get_all(name, [])]))
