"""Addresses and places as callers write them, checked once at the border and normalised.

Each `parse_*` and `check_*` is pure, answers the normal form and raises `BadAddress`, whose text says what is
wrong and how to mend it. Nothing here asks a network: an address that is well-formed may still not exist.
"""

import re
from typing import ClassVar, Final

import phonenumbers
import pytz
from email_validator import EmailNotValidError, validate_email

from gateway.domain.recipients import EmailAddress, PhoneNumber


class BadAddress(ValueError):
    """Root of what can be wrong with an address or a place; `code` is stable and stands in the API."""

    code: ClassVar[str] = "bad_address"


class BadEmail(BadAddress):
    """Not one e-mail address."""

    code = "bad_email"


class BadPhone(BadAddress):
    """Not one telephone number that a text message can go to."""

    code = "bad_phone"


class UnknownTimezone(BadAddress):
    """Not a zone of the IANA database."""

    code = "unknown_timezone"


class UnknownCountry(BadAddress):
    """Not an ISO 3166-1 alpha-2 code."""

    code = "unknown_country"


class BadRegion(BadAddress):
    """Not an ISO 3166-2 code of the country."""

    code = "bad_region"


_MAX_EMAIL_OCTETS: Final = 254
"""RFC 5321 4.5.3.1.3, less the angle brackets."""
_MAX_LOCAL_OCTETS: Final = 64
"""RFC 5321 4.5.3.1.1."""
_NOT_IN_EMAIL: Final = re.compile(r"[\x00-\x20\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]")
"""Controls, spaces, and characters without a body: bidi marks, joiners, separators."""


def parse_email(text: str) -> EmailAddress:
    """The address with its domain in lower-case ASCII (IDNA 2008) and its local part in NFC, else as given.

    One bare address with a dotted domain: no display name, comment, quoted local part, list or domain literal.
    """
    if len(text) > _MAX_EMAIL_OCTETS or len(text.encode("utf-8", "surrogatepass")) > _MAX_EMAIL_OCTETS:
        raise BadEmail(f"An e-mail address has at most {_MAX_EMAIL_OCTETS} octets.")
    # An encoded-word is a legal local part, but nobody has one: it is there to be decoded by a careless reader.
    if _NOT_IN_EMAIL.search(text) or "=?" in text:
        raise BadEmail("Give the bare e-mail address, without spaces or control characters.")
    try:
        # `.test` (RFC 6761) is let through: rehearsals write there, and no relay delivers it by accident.
        checked = validate_email(text, check_deliverability=False, test_environment=True)
    except (EmailNotValidError, UnicodeError) as error:
        raise BadEmail(f"Give one e-mail address such as amina@example.org: {error}") from error
    domain = checked.ascii_domain
    if not domain or "." not in domain:
        raise BadEmail("The part after the @ must be a whole domain, such as example.org.")
    if len(checked.local_part.encode()) > _MAX_LOCAL_OCTETS:
        raise BadEmail(f"The part before the @ has at most {_MAX_LOCAL_OCTETS} octets.")
    return EmailAddress(f"{checked.local_part}@{domain.lower()}")


_PHONE_SHAPE: Final = re.compile(r"\+[1-9][0-9 ().\-]{5,30}", re.ASCII)
_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_PREMIUM: Final = frozenset({phonenumbers.PhoneNumberType.PREMIUM_RATE})


def parse_phone(text: str) -> PhoneNumber:
    """The number in E.164, such as `+33612345678`; single spaces, dots, dashes and brackets are dropped.

    The international form is required, since a national one means another number in each country. The length
    must be possible for the country; whether the number is assigned is the carrier's to say. Premium-rate
    numbers are refused: they cost by the message and reach no person.
    """
    if not _PHONE_SHAPE.fullmatch(text):
        raise BadPhone("Give the number in international form (E.164): + and digits only, such as +33612345678.")
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException as error:
        raise BadPhone(f"Give the number in international form, such as +33612345678: {error}") from error
    kept = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if not phonenumbers.is_possible_number(number) or not _E164.fullmatch(kept):
        raise BadPhone("The number is too short or too long for its country.")
    if phonenumbers.number_type(number) in _PREMIUM:
        raise BadPhone("Premium-rate numbers are not written to; give the person's own number.")
    return PhoneNumber(kept)


def check_timezone(name: str) -> str:
    """The IANA zone, spelled as in the database."""
    if name not in pytz.all_timezones_set:
        raise UnknownTimezone("Give an IANA time zone such as Europe/Paris.")
    return name


def check_country(code: str) -> str:
    """The country in upper case."""
    upper = code.upper() if code.isascii() else code
    if upper not in pytz.country_names:
        hint = " The United Kingdom is GB." if upper == "UK" else ""
        raise UnknownCountry(f"Give an ISO 3166-1 alpha-2 country code such as FR.{hint}")
    return upper


_REGION_SHAPE: Final = re.compile(r"([A-Z]{2})-[A-Z0-9]{1,3}", re.ASCII)


def check_region(code: str, country: str | None = None) -> str:
    """The region in upper case; where `country` is given it must be the region's own."""
    upper = code.upper() if code.isascii() else code
    shaped = _REGION_SHAPE.fullmatch(upper)
    if shaped is None or shaped.group(1) not in pytz.country_names:
        raise BadRegion("Give an ISO 3166-2 region code such as US-TX: the country, a dash, the subdivision.")
    if country is not None and shaped.group(1) != country:
        raise BadRegion(f"The region {upper} does not lie in the country {country}; give one that does, or neither.")
    return upper
