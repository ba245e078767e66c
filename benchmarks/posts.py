"""What the benchmarks post: one shipped order, or receipts and shipped orders over all locales."""

import json
from typing import Final

BODY: Final = json.dumps(
    {
        "template": "order-shipped",
        "to": {"id": "user-42", "email": "amina@example.org", "locale": "fr-CA", "timezone": "America/Toronto"},
        "channels": ["email"],
        "data": {"order": "A-1009", "total": {"amount": "129.90", "currency": "CAD"}, "eta": "2026-12-01"},
        "tags": ["checkout"],
        "metadata": {"order_id": "A-1009"},
    }
).encode()
VARIATIONS: Final = 60
PLACES: Final = (
    ("en", "America/New_York", "USD"),
    ("fr", "Europe/Paris", "EUR"),
    ("fr-CA", "America/Toronto", "CAD"),
    ("de", "Europe/Berlin", "EUR"),
    ("es", "Europe/Madrid", "EUR"),
    ("pt-BR", "America/Sao_Paulo", "BRL"),
    ("it", "Europe/Rome", "EUR"),
    ("pl", "Europe/Warsaw", "PLN"),
    ("ru", "Asia/Almaty", "KZT"),
    ("ar", "Africa/Cairo", "EGP"),
    ("he", "Asia/Jerusalem", "ILS"),
    ("ja", "Asia/Tokyo", "JPY"),
    ("zh-Hans", "Asia/Shanghai", "CNY"),
    ("zh-Hant", "Asia/Taipei", "TWD"),
)


def bodies() -> list[bytes]:
    """Receipts and shipped orders in turn, over all locales, each for another person and of another sum."""
    return [
        json.dumps(_body(number, *PLACES[number % len(PLACES)]), ensure_ascii=False).encode()
        for number in range(VARIATIONS * len(PLACES))
    ]


def _body(number: int, locale: str, timezone: str, currency: str) -> dict[str, object]:
    def money(tenths: int) -> dict[str, str]:
        return {"amount": f"{tenths}.10", "currency": currency}

    person = {"id": f"reader-{number}", "email": f"reader-{number}@example.org", "locale": locale, "timezone": timezone}
    if number // len(PLACES) % 2:
        template, data = (
            "order-shipped",
            {
                "order": f"A-{number}",
                "total": money(number),
                "name": "Amina",
                "items": [{"name": "Wool blanket", "quantity": number % 7}, {"name": "Stoneware mug", "quantity": 2}],
                "eta": f"2026-12-{number % 28 + 1:02}",
            },
        )
    else:
        template, data = "receipt", {
            "number": f"R-{number}",
            "paid_at": f"2026-11-20T{number % 24:02}:05:00Z",
            "items": [
                {"name": "Wool blanket", "quantity": 1, "price": money(90)},
                {"name": f"Book {number}", "quantity": 2, "price": money(number)},
            ],
            "subtotal": money(90 + number),
            "tax": money(21),
            "total": money(111 + number),
            "name": "Amina",
            "receipt_url": f"https://example.org/receipts/R-{number}",
        }  # fmt: skip
    return {"template": template, "to": person, "channels": ["email"], "data": data}
