"""Whom a request names: every address and place checked and put into its normal form."""

from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address
from typing import TypeVar
from urllib.parse import urlsplit

from gateway.delivery.accepting.addresses import (
    BadAddress,
    check_country,
    check_region,
    check_timezone,
    parse_email,
    parse_phone,
)
from gateway.domain.recipients import EmailAddress, PhoneNumber, PushDevice, PushPlatform, Recipient
from gateway.domain.values import replace
from gateway.errors import FieldProblem
from gateway.localization.locales import UnknownLocale, parse_locale, to_tag

T = TypeVar("T")

_Texts = tuple[EmailAddress | None, PhoneNumber | None, str | None, str | None, str | None, str | None]
"""What a person has that has a normal form: e-mail, phone, locale, time zone, country, region."""


def check_recipient(given: Recipient, base: str = "") -> tuple[Recipient, list[FieldProblem]]:
    """The person with normal forms throughout, and each field that has none, by JSON pointer below `base`."""
    texts: _Texts = (given.email, given.phone, given.locale, given.timezone, given.country, given.region)
    normal, found = _checked(texts)
    problems = [FieldProblem(pointer=f"{base}/{field}", code=code, message=told) for field, code, told in found]
    recipient = given
    if normal != texts:
        email, phone, locale, timezone, country, region = normal
        recipient = replace(
            given, email=email, phone=phone, locale=locale, timezone=timezone, country=country, region=region
        )
    for index, device in enumerate(given.push):
        problems.extend(_device_problems(device, f"{base}/push/{index}"))
    return recipient, problems


# Checking one person's addresses costs more than all the rest of accepting, and people are written to again.
@lru_cache(maxsize=16_384)
def _checked(texts: _Texts) -> tuple[_Texts, tuple[tuple[str, str, str], ...]]:
    """The normal forms, None for what has none, and of each such field its name, a code and a message."""
    email, phone, locale, timezone, country, region = texts
    found: list[tuple[str, str, str]] = []

    def checked(value: T | None, field: str, check: Callable[[T], T]) -> T | None:
        if value is None:
            return None
        try:
            return check(value)
        except BadAddress as error:
            found.append((field, error.code, str(error)))
        except UnknownLocale as error:
            found.append((field, "unknown_locale", str(error)))
        return None

    country = checked(country, "country", check_country)
    normal = (
        checked(email, "email", parse_email),
        checked(phone, "phone", parse_phone),
        checked(locale, "locale", normal_locale),
        checked(timezone, "timezone", check_timezone),
        country,
        checked(region, "region", lambda region: check_region(region, country)),
    )
    return normal, tuple(found)


@lru_cache(maxsize=1_024)
def normal_locale(tag: str) -> str:
    """The tag in canonical form. Raises UnknownLocale when CLDR does not know it."""
    return to_tag(parse_locale(tag))


def _may_be_called(endpoint: str) -> bool:
    """Whether it is https; or of an inside host, as an operator may have allowed, which is judged at the call."""
    if not endpoint.startswith("http://"):
        return endpoint.startswith("https://")
    try:
        host = urlsplit(endpoint).hostname or ""
        return host == "localhost" or not ip_address(host).is_global
    except ValueError:
        return False


def _device_problems(device: PushDevice, base: str) -> list[FieldProblem]:
    if device.platform is PushPlatform.WEBPUSH:
        endpoint = (device.subscription or {}).get("endpoint")
        if isinstance(endpoint, str) and _may_be_called(endpoint):
            return []
        wanted = "Give the browser's subscription, whose `endpoint` is an https address."
        return [FieldProblem(pointer=f"{base}/subscription", code="bad_subscription", message=wanted)]
    if device.token:
        return []
    return [FieldProblem(pointer=f"{base}/token", code="missing", message="Give the device's registration token.")]
