"""The postal address in the imprint.

Laws ask for it in marketing mail: CAN-SPAM, 15 U.S.C. 7704(a)(5); CASL, section 6(2).
"""

from collections.abc import Callable, Sequence
from typing import Final

from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel
from gateway.domain.values import Value
from gateway.rendering.templates import Snapshot, Template

POSTAL_ADDRESS: Final = "postal_address"
"""What templates know it by."""


class PostalAddress(Value, frozen=True, kw_only=True):
    """Where the sender can be written to, for readers of some countries and locales."""

    lines: tuple[str, ...]
    countries: frozenset[str] = frozenset()
    """ISO 3166-1 alpha-2; empty: everywhere."""
    locales: frozenset[str] = frozenset()
    """BCP 47 tags or bare languages; empty: every one."""

    def fit(self, country: str | None, locale: str) -> tuple[bool, int] | None:
        """How closely it is made for such a reader, the closer the greater; None where it is made for others."""
        if self.countries and country not in self.countries:
            return None
        if not self.locales:
            return bool(self.countries), 0
        if locale in self.locales:
            return bool(self.countries), 2
        return (bool(self.countries), 1) if locale.partition("-")[0] in self.locales else None


def choose_address(addresses: Sequence[PostalAddress], country: str | None, locale: str) -> tuple[str, ...]:
    """The lines of the closest address: one for the country before one for the locale; empty where there is none."""
    fits = [(fit, one) for one in addresses if (fit := one.fit(country, locale)) is not None]
    return max(fits, key=lambda pair: pair[0], default=(None, PostalAddress(lines=())))[1].lines


def anonymous_marketing(templates: Snapshot, addresses: Sequence[PostalAddress]) -> tuple[str, ...]:
    """What is wrong with marketing e-mail as to its postal address, a sentence each for operators."""
    mailings = [one for one in templates.templates.values() if _is_mailing(one)]
    if not mailings:
        return ()
    if not any(not one.countries and not one.locales for one in addresses):
        return (_NO_ADDRESS.format(names=", ".join(sorted(one.name for one in mailings))),)
    return tuple(_NOT_SHOWN.format(name=one.name) for one in mailings if not _shows_address(one))


_NO_ADDRESS: Final = (
    "Marketing e-mail goes out without the postal address that laws ask for (CAN-SPAM, CASL): set"
    " sender.postal_address. It concerns the templates {names}."
)
_NOT_SHOWN: Final = (
    "The marketing e-mail of template {name} does not show the postal address: include _layouts/imprint.html and"
    " imprint.txt as they are shipped, or postal_address itself."
)


class ImprintCheck:
    """The same question for readiness, answered once for each version of the templates."""

    def __init__(self, snapshot: Callable[[], Snapshot], addresses: Sequence[PostalAddress], *, leaves: bool) -> None:
        self._snapshot = snapshot
        self._addresses = addresses
        self._leaves = leaves
        """Whether e-mail goes anywhere but to the mailbox."""
        self._found: tuple[str, tuple[str, ...]] | None = None

    def warnings(self) -> tuple[str, ...]:
        """What operators should know."""
        if not self._leaves:
            return ()
        snapshot = self._snapshot()
        if self._found is None or self._found[0] != snapshot.version:
            self._found = snapshot.version, anonymous_marketing(snapshot, self._addresses)
        return self._found[1]


def _is_mailing(template: Template) -> bool:
    return template.category is Category.MARKETING and Channel.EMAIL in template.channels


def _shows_address(template: Template) -> bool:
    """Whether each body that an e-mail of it may have names the address."""
    bodies = [
        part
        for parts in (template.parts, *template.variants.values())
        for (channel, name), part in parts.items()
        if channel is Channel.EMAIL and name in ("html", "text")
    ]
    return all(POSTAL_ADDRESS in part.given for part in bodies)
