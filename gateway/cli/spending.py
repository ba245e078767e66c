"""`heliograph spending`: how much of the limits is used."""

from typing import Any

from gateway.cli.client import DEFAULT_URL, Key, Url, connect
from gateway.cli.output import Json, command, notes, print_json, print_table


@command
async def spending(*, url: Url = DEFAULT_URL, key: Key = "", as_json: Json = False) -> None:
    """Show how much of each limit on spending is used, and how many readers complain.

    The key needs the scope ops.
    """
    async with connect(url, key) as client:
        standing = (await client.call("GET", "/v1/spending")).body
    if as_json:
        print_json(standing)
        return
    if not standing["limits"] and not standing["complaints"]:
        notes.print("Nothing that counts to a limit was spent.")
    if standing["limits"]:
        rows = [_limit_row(one, standing["currency"]) for one in standing["limits"]]
        print_table("", ("limit", "of", "per", "messages", "cost", "full"), rows)
    if standing["complaints"]:
        rows = [
            (one["domain"], one["sent"], one["complaints"], f"{one['rate']:.3%}", "stopped" if one["stopped"] else "")
            for one in standing["complaints"]
        ]
        print_table("", ("sending domain", "marketing e-mail", "complaints", "rate", ""), rows)


def _limit_row(one: Any, currency: str) -> tuple[str, ...]:
    messages, cost = one["messages"], one["cost"]
    return (
        one["limit"],
        one["of"],
        one["per"],
        "" if messages is None else f"{messages['used']} of {messages['limit']}",
        "" if cost is None else f"{cost['used']} of {cost['limit']} {currency}",
        f"{one['share']:.0%}",
    )
