"""The people of the demo: for each shipped locale someone who reads it, with addresses that nobody has."""

from dataclasses import dataclass
from typing import Final

import phonenumbers

from gateway.domain.recipients import JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Someone to write to."""

    id: str
    name: str
    locale: str
    timezone: str
    country: str
    email: str
    phone: str

    def record(self) -> dict[str, JsonValue]:
        """The body of `PUT /v1/recipients/{id}`."""
        return {
            "email": self.email,
            "phone": self.phone,
            "push": [{"platform": "fcm", "token": f"demo-device-{self.id}"}],
            "locale": self.locale,
            "timezone": self.timezone,
            "country": self.country,
            "attributes": {"name": self.name},
        }


# Locale, country, zone, and two names as people write them there.
_PLACES: Final = (
    ("en", "GB", "Europe/London", "Olivia Bennett", "Noah O'Brien"),
    ("fr", "FR", "Europe/Paris", "Chloé Lefèvre", "Théo Moreau"),
    ("fr-CA", "CA", "America/Toronto", "Amélie Tremblay", "Étienne Gagnon"),
    ("de", "DE", "Europe/Berlin", "Jürgen Weiß", "Annegret Müller"),
    ("es", "ES", "Europe/Madrid", "Lucía Fernández", "Íñigo Núñez"),
    ("pt-BR", "BR", "America/Sao_Paulo", "João Araújo", "Conceição Guimarães"),
    ("it", "IT", "Europe/Rome", "Chiara Esposito", "Niccolò D'Angelo"),
    ("pl", "PL", "Europe/Warsaw", "Łucja Wiśniewska", "Stanisław Żółć"),
    ("ru", "RU", "Europe/Moscow", "Мария Кузнецова", "Артём Королёв"),
    ("ar", "EG", "Africa/Cairo", "أمينة الهاشمي", "نور الدين حداد"),
    ("he", "IL", "Asia/Jerusalem", "אביגיל רוזנברג", "יונתן לוי"),
    ("ja", "JP", "Asia/Tokyo", "佐藤 葵", "髙橋 蓮"),
    ("zh-Hans", "CN", "Asia/Shanghai", "王芳", "李伟"),
    ("zh-Hant", "TW", "Asia/Taipei", "陳怡君", "林志豪"),
)
LOCALES: Final = tuple(place[0] for place in _PLACES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Everyone in the demo; one of each sort for each locale, in the same order."""

    fans: tuple[Person, ...]
    """Agreed to all that the shop may want to tell them."""
    strangers: tuple[Person, ...]
    """Agreed to nothing."""
    lost: tuple[Person, ...]
    """Their phones are on the suppression list."""


def make_cast() -> Cast:
    """The same people each time."""
    fans: list[Person] = []
    strangers: list[Person] = []
    lost: list[Person] = []
    for locale, country, timezone, first, second in _PLACES:
        for sort, number, name in ((fans, 1, first), (strangers, 2, second), (lost, 3, first)):
            person_id = f"{locale.lower()}-{number}"
            sort.append(
                Person(
                    id=person_id,
                    name=name,
                    locale=locale,
                    timezone=timezone,
                    country=country,
                    email=f"{person_id}@example.org",
                    phone=_example_number(country, number),
                )
            )
    return Cast(fans=tuple(fans), strangers=tuple(strangers), lost=tuple(lost))


def _example_number(country: str, position: int) -> str:
    """A number like the one that the country's plan gives as an example, another for each position."""
    example = phonenumbers.example_number_for_type(country, phonenumbers.PhoneNumberType.MOBILE)
    if example is None or example.national_number is None:
        raise LookupError(f"{country} has no example of a mobile number")
    number = phonenumbers.PhoneNumber(
        country_code=example.country_code, national_number=example.national_number + position - 1
    )
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
