"""The whole path: from HTTP POST over the store, policy, localized text and MIME to an SMTP server that took it.

Every round loads first a bare echo, then the gateway, and waits until the sink has every message that was
answered with 202. The gateway is one process on its embedded default: one store, `synchronous=FULL`, its own worker.
"""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack

from benchmarks.processes import Server, load, start

ROUNDS = 5
SECONDS = 3.0
CONNECTIONS = 16
GOAL = 10
"""Times the echo's CPU time per request that one delivered e-mail may cost."""
PATIENCE_SECONDS = 120.0
VARIATIONS = 60
PLACES = (
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


def deliver(gateway: Server, sink: Server, posts: Sequence[bytes]) -> tuple[float, float, float]:
    """One burst: messages delivered per second, CPU microseconds for each, and posts answered per second."""
    before, cpu, began = sink.ask(), gateway.cpu_seconds(), time.monotonic()
    figures, _ = load(gateway, posts, SECONDS, CONNECTIONS)
    assert set(figures["statuses"]) == {"202"}, figures
    accepted = figures["answered"]
    while (taken := sink.ask() - before) < accepted:
        if time.monotonic() - began > PATIENCE_SECONDS:
            raise SystemExit(f"only {taken} of {accepted} messages arrived")
        time.sleep(0.02)
    seconds = time.monotonic() - began
    return accepted / seconds, (gateway.cpu_seconds() - cpu) / accepted * 1e6, figures["per_second"]


def main() -> None:
    """Run the rounds and print the figures."""
    posts = bodies()
    rows = []
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="heliograph-bench-"))
        sink = stack.enter_context(start("sink"))
        echo = stack.enter_context(start("servers", "echo"))
        gateway = stack.enter_context(start("servers", "gateway", folder, sink.port))
        load(echo, posts, 1.0, CONNECTIONS)
        deliver(gateway, sink, posts)
        for _ in range(ROUNDS):
            reference, echo_cpu = load(echo, posts, SECONDS, CONNECTIONS)
            rows.append((reference["per_second"], echo_cpu, *deliver(gateway, sink, posts)))
    average = " ".join(f"{value:.2f}" for value in os.getloadavg())
    echoed, echo_cpu, delivered, cpu, posted = (statistics.median(column) for column in zip(*rows, strict=True))
    ratios = [row[3] / row[1] for row in rows]
    print(
        f"\nWhole path to an SMTP sink, receipts and shipped orders in {len(PLACES)} locales, {CONNECTIONS} connections"
        f"\n{ROUNDS} interleaved rounds, medians; load average {average}; goal at most {GOAL} times the echo's CPU\n"
    )
    print(f"  {'':32} {'per second':>11} {'CPU µs':>8}")
    print(f"  {'bare echo':32} {echoed:>11.0f} {echo_cpu:>8.0f}")
    print(f"  {'delivered e-mail':32} {delivered:>11.0f} {cpu:>8.0f}   ({posted:.0f} posts per second meanwhile)")
    shown = " ".join(f"{ratio:.1f}" for ratio in ratios)
    print(f"\n  CPU of a delivered e-mail / of an echo: {statistics.median(ratios):.1f} (rounds: {shown})")


if __name__ == "__main__":
    main()
