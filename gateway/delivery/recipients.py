"""Whom a request names: every address and place checked and put into its normal form."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Final, TypeVar

from gateway.delivery.addresses import (
    BadAddress,
    check_country,
    check_region,
    check_timezone,
    parse_email,
    parse_phone,
)
from gateway.domain.recipients import PushDevice, PushPlatform, Recipient
from gateway.errors import FieldProblem
from gateway.localization.locales import UnknownLocale, parse_locale, to_tag

T = TypeVar("T")

# Checking one person's addresses costs more than all the rest of accepting, and people are written to again.
_parse_email: Final = lru_cache(maxsize=16_384)(parse_email)
_parse_phone: Final = lru_cache(maxsize=16_384)(parse_phone)


def check_recipient(given: Recipient, base: str = "") -> tuple[Recipient, list[FieldProblem]]:
    """The person with normal forms throughout, and each field that has none, by JSON pointer below `base`."""
    problems: list[FieldProblem] = []

    def checked(value: T | None, field: str, check: Callable[[T], T]) -> T | None:
        if value is None:
            return None
        try:
            return check(value)
        except BadAddress as error:
            problems.append(FieldProblem(pointer=f"{base}/{field}", code=error.code, message=str(error)))
        except UnknownLocale as error:
            problems.append(FieldProblem(pointer=f"{base}/{field}", code="unknown_locale", message=str(error)))
        return None

    country = checked(given.country, "country", check_country)
    email = checked(given.email, "email", _parse_email)
    phone = checked(given.phone, "phone", _parse_phone)
    locale = checked(given.locale, "locale", normal_locale)
    timezone = checked(given.timezone, "timezone", check_timezone)
    region = checked(given.region, "region", lambda region: check_region(region, country))
    recipient = given
    was = (given.email, given.phone, given.locale, given.timezone, given.country, given.region)
    if was != (email, phone, locale, timezone, country, region):
        recipient = replace(
            given, email=email, phone=phone, locale=locale, timezone=timezone, country=country, region=region
        )
    for index, device in enumerate(given.push):
        problems.extend(_device_problems(device, f"{base}/push/{index}"))
    return recipient, problems


@lru_cache(maxsize=1_024)
def normal_locale(tag: str) -> str:
    """The tag in canonical form. Raises UnknownLocale when CLDR does not know it."""
    return to_tag(parse_locale(tag))


def _device_problems(device: PushDevice, base: str) -> list[FieldProblem]:
    if device.platform is PushPlatform.WEBPUSH:
        endpoint = (device.subscription or {}).get("endpoint")
        if isinstance(endpoint, str) and endpoint.startswith("https://"):
            return []
        wanted = "Give the browser's subscription, whose `endpoint` is an https address."
        return [FieldProblem(pointer=f"{base}/subscription", code="bad_subscription", message=wanted)]
    if device.token:
        return []
    return [FieldProblem(pointer=f"{base}/token", code="missing", message="Give the device's registration token.")]
