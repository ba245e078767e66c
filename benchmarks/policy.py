"""What policy costs: one decision in the process, and delivered marketing e-mails under rules beside none.

Both gateways of the second part ask for consent, which cannot be turned off. The one with rules has two caps, a rule on
quiet hours that is consulted and open at any hour, and the country packs; the other has none of them. They take turns
in every round, each on a store of its own, before one sink.
"""

import asyncio
import json
import tempfile
import tomllib
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import aiohttp

from benchmarks import measure
from benchmarks.measure import Effort
from benchmarks.posts import BODY
from benchmarks.processes import Server, deliver, load, start
from gateway.domain.decisions import Facts, Send
from gateway.domain.ids import ConsentId, RecipientId, ServiceId
from gateway.domain.instants import to_micros
from gateway.domain.preferences import Category, Consent, ConsentState
from gateway.domain.recipients import Channel, EmailAddress, Recipient
from gateway.domain.rule_tables import parse_rules
from gateway.domain.values import replace
from gateway.policy.gate import decide

CONNECTIONS: Final = 16
PEOPLE: Final = 10_000
DECISIONS: Final = 4_000
GOAL: Final = "delivered a second under rules at least 0.92 of without"
_AT_ONCE: Final = 32
_TOPIC: Final = "feedback"
_NOW: Final = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
_RULES: Final = """\
[[quiet_hours]]
name = "round-the-clock"
allow = [{from = "00:00", to = "12:00"}, {from = "12:00", to = "24:00"}]
[[frequency_caps]]
name = "hourly"
limit = 100
per = "1h"
categories = ["marketing"]
[[frequency_caps]]
name = "daily"
limit = 200
per = "day"
channels = ["email"]
categories = ["marketing"]
"""
_NO_RULES: Final = "[policy]\npacks = false\n"


def main(effort: Effort) -> None:
    """Run both parts and print the figures."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="heliograph-bench-")))
        echo = stack.enter_context(start("servers", "echo"))
        load(echo, [BODY], effort.seconds / 3, CONNECTIONS)
        _, echoed = load(echo, [BODY], effort.seconds, CONNECTIONS)
        _print_decisions(effort, echoed)
        sink = stack.enter_context(start("sink"))
        people = effort.part(PEOPLE, least=CONNECTIONS)
        servers = [_gateway(stack, folder / name, sink, rules, people) for name, rules in _GATEWAYS]
        _print_deliveries(effort, servers, sink, _bodies(people))


_GATEWAYS: Final = (("without", _NO_RULES), ("under", _RULES))


def _print_decisions(effort: Effort, echoed: float) -> None:
    bare, ruled = _facts("", Category.TRANSACTIONAL), _facts(_RULES, Category.MARKETING)
    assert isinstance(decide(bare, _NOW), Send)
    assert isinstance(decide(ruled, _NOW), Send)
    held = replace(ruled, rules=parse_rules(_tables(_RULES.replace("00:00", "13:00", 1)), "settings"))
    times = measure.time_rounds(
        {
            "no rules, no consent needed": lambda _: decide(bare, _NOW),
            "two caps, quiet hours, consent": lambda n: decide(ruled, _NOW + timedelta(microseconds=n)),
            "the same, in closed hours": lambda n: decide(held, _NOW + timedelta(microseconds=n)),
        },
        operations=effort.part(DECISIONS, least=10),
        rounds=effort.rounds,
    )
    measure.print_heading("One decision of policy", rounds=effort.rounds)
    rows = {
        row.name: (row.microseconds, row.microseconds / echoed) for row in measure.compare(times, next(iter(times)))
    }
    measure.print_rows(("CPU µs", "of an echo's"), {**rows, "bare echo": (echoed, 1.0)})


def _tables(rules: str) -> dict[str, object]:

    return {name: tables for name, tables in tomllib.loads(rules).items() if name != "policy"}


def _facts(rules: str, category: Category) -> Facts:
    person = RecipientId("reader-1")
    grant = Consent(
        id=ConsentId("cns_1"),
        service_id=ServiceId("svc_1"),
        recipient_id=person,
        channel=Channel.EMAIL,
        topic=_TOPIC,
        state=ConsentState.GRANTED,
        source="signup-form",
        at=_NOW - timedelta(days=9),
        recorded_at=_NOW - timedelta(days=9),
    )
    slots = tuple(to_micros(_NOW - timedelta(minutes=7 * number)) for number in range(1, 6))
    return Facts(
        category=category,
        topic=_TOPIC,
        channel=Channel.EMAIL,
        recipient=Recipient(
            id=person, email=EmailAddress("reader-1@example.org"), timezone="Europe/Paris", country="FR"
        ),
        send_at=None,
        expires_at=_NOW + timedelta(days=3),
        consents=(grant,),
        suppressions=(),
        route=("relay",),
        rules=parse_rules(_tables(rules), "settings"),
        slots={"hourly": slots, "daily": slots},
    )


def _gateway(stack: ExitStack, folder: Path, sink: Server, rules: str, people: int) -> Server:
    folder.mkdir()
    file = folder / "rules.toml"
    file.write_text(rules, encoding="utf-8")
    server = stack.enter_context(start("servers", "gateway", str(folder), sink.port, str(file)))
    asyncio.run(_agree(server, people))
    return server


async def _agree(server: Server, people: int) -> None:
    """Everybody agrees to the survey."""
    url = f"http://127.0.0.1:{server.port}/v1/recipients"
    line = {"channel": "email", "topic": _TOPIC, "state": "granted", "source": "signup-form"}
    places = asyncio.Semaphore(_AT_ONCE)
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {server.key}"}) as session:

        async def grant(number: int) -> None:
            async with places:
                person = f"{url}/reader-{number}"
                for path, body in ((person, _person(number)), (f"{person}/consents", {"consents": [line]})):
                    async with session.put(path, json=body) as response:
                        response.raise_for_status()

        await asyncio.gather(*(grant(number) for number in range(people)))


def _person(number: int) -> dict[str, str]:
    return {
        "email": f"reader-{number}@example.org",
        "locale": "fr",
        "timezone": "Europe/Paris",
        "country": "FR",
    }


def _bodies(people: int) -> Sequence[bytes]:
    data = {"minutes": 2, "survey_url": "https://example.org/survey/18", "name": "Amina"}
    return [
        json.dumps(
            {"template": "churn-survey", "to": {"id": f"reader-{n}"}, "channels": ["email"], "data": data}
        ).encode()
        for n in range(people)
    ]


def _print_deliveries(effort: Effort, servers: Sequence[Server], sink: Server, posts: Sequence[bytes]) -> None:
    for server in servers:
        deliver(server, sink, posts, effort.seconds / 3, CONNECTIONS)
    rows = measure.interleave(
        lambda: [deliver(server, sink, posts, effort.seconds, CONNECTIONS) for server in servers],
        rounds=effort.rounds,
        reference=lambda row: row[0].per_second,
    )
    title = f"Marketing e-mails to {len(posts)} people who agreed, under rules and without, {CONNECTIONS} connections"
    measure.print_heading(title, rounds=len(rows), goal=GOAL)
    table = {
        name: measure.medians((row[place].per_second, row[place].cpu_microseconds) for row in rows)
        for place, name in enumerate(("without rules", "two caps, hours, packs"))
    }
    measure.print_rows(("per second", "CPU µs"), table)
    measure.print_ratio(
        "delivered a second, under rules / without", [row[1].per_second / row[0].per_second for row in rows]
    )
    measure.print_ratio(
        "CPU of a delivered e-mail, under rules / without",
        [row[1].cpu_microseconds / row[0].cpu_microseconds for row in rows],
    )
