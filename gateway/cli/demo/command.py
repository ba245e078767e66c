"""The command itself: from an empty folder to a page that shows every message."""

import asyncio
import signal
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final

import aiohttp
import typer

from gateway.cli.demo.hours import ask_hours
from gateway.cli.demo.house import House, running
from gateway.cli.demo.people import Cast, make_cast
from gateway.cli.demo.plan import Plan, make_plan
from gateway.cli.demo.posting import Posted, Shop
from gateway.cli.demo.report import print_outcomes
from gateway.cli.demo.verdict import find_faults
from gateway.cli.output import command, notes
from gateway.cli.progress import Steps, showing_steps

_MOST_SECONDS: Final = 120.0
_SHOWN_FAULTS: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    posted: list[Posted]
    accept_seconds: float
    deliver_seconds: float
    left: int
    """How many messages were still under way when patience ended."""


@command
async def demo(
    *,
    exit_after: Annotated[
        bool, typer.Option("--exit", help="End after the tables: status 0 only if every message ended as it should.")
    ] = False,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Left out: 8080, or a free one.", show_default=False)
    ] = None,
    messages: Annotated[
        int, typer.Option(min=1, max=10_000, help="About how many; the plan has its least whatever you say.")
    ] = 300,
) -> None:
    """Start a gateway on a fresh store, send hundreds of messages through it, and show what became of each."""
    notes.print("Starting a gateway on a fresh store …")
    async with running(port) as house:
        headers = {"Authorization": f"Bearer {house.key}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            shop = Shop(session, house)
            run = await _send_everything(shop, make_cast(), messages)
            found = await shop.read_all()
        print_outcomes(run.posted, found)
        faults = find_faults(run.posted, found)
        _print_rates(run, sum(len(message["deliveries"]) for message in found.values()))
        for name, fault in faults[:_SHOWN_FAULTS]:
            notes.print(f"{name}: {fault}", style="red")
        if run.left or faults:
            notes.print(f"{len(faults)} of {len(run.posted)} messages did not end as they should.", style="red")
        else:
            notes.print(f"All {len(run.posted)} messages ended as they should.", style="green")
        if not exit_after:
            await _serve_on(house)
        if run.left or faults:
            raise typer.Exit(1)


async def _send_everything(shop: Shop, cast: Cast, size: int) -> _Run:
    templates = await shop.templates()
    marketing = [one for one in templates if one["category"] == "marketing"]
    await shop.keep(cast, [(channel, one["topic"]) for one in marketing for channel in one["channels"]])
    now = datetime.now(UTC)
    # The one with the most channels tells of all of them: hours do not depend on the topic.
    hours = await ask_hours(shop.explain, max(marketing, key=lambda one: len(one["channels"])), cast.fans, now)
    plan = make_plan(templates, cast, size, now, hours)
    with showing_steps() as steps:
        return await _post(shop, plan, steps)


async def _post(shop: Shop, plan: Plan, steps: Steps) -> _Run:
    for planned in plan.leaving:
        await shop.grant_for(planned)
    first = (*plan.messages, *plan.leaving)
    started = time.monotonic()
    posted = await shop.post_all(first, steps.begin("Posting", len(first)))
    accepted = time.monotonic()
    left = await shop.wait_for_ends(_MOST_SECONDS, steps.begin("Delivering", len(posted)), len(posted))
    ended = time.monotonic()
    leavers = [one.message_id for one in posted if one.planned in plan.leaving and one.message_id is not None]
    await asyncio.gather(*(shop.leave(message_id) for message_id in leavers))
    posted += await shop.post_all(plan.after_leaving, steps.begin("After leaving", len(plan.after_leaving)))
    left += await shop.wait_for_ends(_MOST_SECONDS, lambda _done: None, len(plan.after_leaving))
    return _Run(posted=posted, accept_seconds=accepted - started, deliver_seconds=ended - started, left=left)


def _print_rates(run: _Run, deliveries: int) -> None:
    accepted = sum(one.message_id is not None for one in run.posted)
    notes.print(
        f"{accepted} messages accepted at {accepted / run.accept_seconds:.0f} a second; {deliveries} deliveries ended "
        f"at {deliveries / run.deliver_seconds:.0f} a second, the wait for scheduled ones included.",
    )


async def _serve_on(house: House) -> None:
    notes.print()
    notes.print("Look at what went out, as its readers see it:", style="bold")
    for name, path in (("mailbox", "/mailbox"), ("log", "/log"), ("API", "/docs")):
        notes.print(f"  {name:<8} {house.url}{path}")
    notes.print(f"  key      {house.key}")
    notes.print("Ctrl-C ends it and removes everything.")
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    ended = asyncio.ensure_future(house.process.wait())
    stopped = asyncio.ensure_future(stop.wait())
    await asyncio.wait((ended, stopped), return_when=asyncio.FIRST_COMPLETED)
    for task in (ended, stopped):
        task.cancel()
