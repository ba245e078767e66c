"""Who is written to: a person and the addresses that reach them."""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final, NewType

from gateway.domain.ids import RecipientId
from gateway.domain.values import Value, field

EmailAddress = NewType("EmailAddress", str)
"""A checked address; the domain is in lower case and ASCII (IDNA), the local part as given."""
PhoneNumber = NewType("PhoneNumber", str)
"""E.164, such as `+33612345678`."""


JsonValue = str | int | float | bool | None | list["JsonValue"] | dict[str, "JsonValue"]
"""What JSON can say; the only thing that enters a template."""


class Channel(StrEnum):
    """How a message reaches a person."""

    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"


class PushPlatform(StrEnum):
    """Which push service a device is reached through."""

    FCM = "fcm"
    APNS = "apns"
    WEBPUSH = "webpush"


class PushDevice(Value, frozen=True, kw_only=True, omit_defaults=True):
    """One device (FCM, APNs) or browser (Web Push) of a person."""

    platform: PushPlatform
    token: str | None = None
    """The registration token, for `fcm` and `apns`."""
    subscription: Mapping[str, JsonValue] | None = None
    """The browser's PushSubscription (W3C Push API), for `webpush`."""

    @property
    def address(self) -> str:
        """What names this device to its push service: the token, or the subscription's endpoint."""
        if self.token is not None:
            return self.token
        return str((self.subscription or {}).get("endpoint", ""))


OWN_TIMEZONE: Final = "timezone"
"""The member of a person's preferences that names the zone they live by."""


class Recipient(Value, frozen=True, kw_only=True, omit_defaults=True):
    """A person as known for one message: what is stored, with the message's own values on top."""

    id: RecipientId | None = None
    email: EmailAddress | None = None
    phone: PhoneNumber | None = None
    push: tuple[PushDevice, ...] = ()
    locale: str | None = None
    timezone: str | None = None
    country: str | None = None
    region: str | None = None
    """ISO 3166-2, such as `US-TX`."""
    attributes: Mapping[str, JsonValue] = field(default_factory=dict)
    preferences: Mapping[str, JsonValue] | None = None
    """Quiet hours and caps that the person chose, in the shape of `domain.own_rules`; never said by a caller."""

    @property
    def own_timezone(self) -> str | None:
        """The zone that the person says they live by; it stands above what a caller says, whose clock is not theirs."""
        zone = (self.preferences or {}).get(OWN_TIMEZONE)
        return zone if isinstance(zone, str) else None

    def addresses(self, channel: Channel) -> tuple[str, ...]:
        """All addresses on a channel; empty when the person cannot be reached there."""
        match channel:
            case Channel.EMAIL:
                return (self.email,) if self.email else ()
            case Channel.SMS:
                return (self.phone,) if self.phone else ()
            case Channel.PUSH:
                return tuple([device.address for device in self.push])

    def reaches(self, channels: Iterable[Channel]) -> bool:
        """Whether there is an address on one of the channels."""
        return any(map(self.addresses, channels))

    def address(self, channel: Channel) -> str | None:
        """The first address on a channel, for people to look at."""
        return next(iter(self.addresses(channel)), None)

    def overlaid(self, inline: "Recipient") -> "Recipient":
        """This person with every value that `inline` names taken from there."""
        return Recipient(
            id=inline.id or self.id,
            email=inline.email or self.email,
            phone=inline.phone or self.phone,
            push=inline.push or self.push,
            locale=inline.locale or self.locale,
            timezone=self.own_timezone or inline.timezone or self.timezone,
            country=inline.country or self.country,
            region=inline.region or self.region,
            attributes={**self.attributes, **inline.attributes},
            preferences=self.preferences,
        )


def comparable(channel: Channel, address: str) -> str:
    """The address in the form in which two spellings of one are equal; suppressions are kept and sought in it.

    Local parts are case-sensitive on paper (RFC 5321 §2.4), yet hardly any server tells them apart: a person who
    left as Ann@ must not be written to as ann@. Numbers have one spelling, and tokens count letter by letter.
    """
    return address.casefold() if channel is Channel.EMAIL else address


_VISIBLE_PHONE_DIGITS: Final = 2


def masked(address: str) -> str:
    """An address for logs and pages: enough to recognise, too little to write to."""
    if "@" in address:
        local, _, domain = address.rpartition("@")
        return f"{local[:1]}•••@{domain}"
    if re.fullmatch(r"\+\d+", address):
        return f"{address[:3]}•••{address[-_VISIBLE_PHONE_DIGITS:]}"
    return f"{address[:4]}•••"
