"""Who sends, as readers are told."""

from typing import Annotated

from pydantic import AfterValidator, Field

from gateway.settings.values import Section


def _lines(text: str) -> str:
    lines = [" ".join(line.split()) for line in text.strip().splitlines()]
    if not all(line.isprintable() for line in lines):
        raise ValueError("a line of an address holds printable characters only")
    return "\n".join(line for line in lines if line)


Address = Annotated[str, AfterValidator(_lines)]


class PostalAddressSettings(Section):
    """A postal address for some readers."""

    address: Annotated[Address, Field(min_length=1)]
    countries: tuple[Annotated[str, Field(pattern="^[A-Z]{2}$")], ...] = ()
    """ISO 3166-1 alpha-2, of the reader; left out: everywhere."""
    locales: tuple[str, ...] = ()
    """BCP 47, of the message; a language stands for all of its locales. Left out: every one."""


class SenderSettings(Section):
    """Who sends."""

    postal_address: Address = ""
    """What the imprint of an e-mail shows below the name, one line or several."""
    postal_addresses: tuple[PostalAddressSettings, ...] = ()
    """Others for readers of some countries or locales."""
