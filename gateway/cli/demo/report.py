"""What the demo tells: outcomes as tables on standard output."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.cli.demo.posting import Posted
from gateway.cli.output import print_table
from gateway.domain.lifecycle import DeliveryStatus


def print_outcomes(posted: Sequence[Posted], messages: Mapping[str, Mapping[str, Any]]) -> None:
    """Tables of what became of every delivery, by template, channel and locale, and of every refused message."""
    by_template: dict[str, Counter[str]] = {}
    by_channel: dict[str, Counter[str]] = {}
    by_locale: dict[str, Counter[str]] = {}
    for message in messages.values():
        locale = message["locale"] or message["metadata"].get("locale", "")
        for delivery in message["deliveries"]:
            for table, name in (
                (by_template, message["template"]),
                (by_channel, delivery["channel"]),
                (by_locale, locale),
            ):
                table.setdefault(name, Counter())[delivery["status"]] += 1
    refused = Counter(one.planned.refused for one in posted if one.planned.refused and one.message_id is None)
    for title, table in (("template", by_template), ("channel", by_channel), ("locale", by_locale)):
        _print(title, table)
    _print_held(posted, messages)
    print_table(
        "Refused at once (422), nothing stored",
        ("wrong field", "messages"),
        sorted((pointer or "", number) for pointer, number in refused.items()),
    )


def _print_held(posted: Sequence[Posted], messages: Mapping[str, Mapping[str, Any]]) -> None:
    """Which rules on hours hold how many deliveries, and until when; the rule's source is told by `config packs`."""
    held: Counter[tuple[str, str]] = Counter()
    for one in posted:
        for delivery in messages.get(one.message_id or "", {}).get("deliveries", ()):
            if delivery["status"] == DeliveryStatus.HELD:
                rule = one.planned.held_by.get(delivery["channel"], delivery["reason"] or "")
                held[rule, delivery["not_before"] or ""] += 1
    rows = [(rule, number, until) for (rule, until), number in sorted(held.items())]
    if rows:
        print_table("Held until their readers' hours open", ("rule", "deliveries", "until"), rows)


def _print(title: str, outcomes: Mapping[str, Counter[str]]) -> None:
    seen = [status for status in DeliveryStatus if any(counts[status] for counts in outcomes.values())]
    rows = [
        (name, sum(counts.values()), *(counts[status] or "" for status in seen))
        for name, counts in sorted(outcomes.items())
    ]
    total: Counter[str] = sum(outcomes.values(), Counter())
    rows.append(("all", total.total(), *(total[status] for status in seen)))
    print_table(f"Deliveries by {title}", (title, "deliveries", *seen), rows)
