"""`heliograph doctor`: whether providers would take messages, and whether receivers would believe them."""

from typing import Annotated

import typer

from gateway.bootstrap.checkup import check_up
from gateway.cli.output import Json, command, notes, print_json, print_table
from gateway.configuration import load_settings
from gateway.domain.checkup import Finding, Verdict
from gateway.logs import configure_logs


@command
async def doctor(
    *,
    dns: Annotated[
        str | None,
        typer.Option("--dns", metavar="HOST:PORT", help="Ask this DNS server, not the system's.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask each provider whether it would take messages, and the DNS what receivers ask it of each sending domain.

    Nothing is sent. Exit status 1 where something keeps messages from going or from arriving.
    """
    loaded = load_settings()
    configure_logs(loaded.settings.log)
    with loaded.placing():
        findings = await check_up(loaded.settings, dns)
    if as_json:
        print_json({"findings": [_finding_json(one) for one in findings]})
    else:
        print_table(
            "", ("subject", "check", "verdict", "detail"), [tuple(_finding_json(one).values()) for one in findings]
        )
    if not findings:
        notes.print("There is no provider but the mailbox, and no sending domain: nothing to look at.")
    if any(one.verdict is Verdict.ERROR for one in findings):
        raise typer.Exit(1)


def _finding_json(one: Finding) -> dict[str, str]:
    return {"subject": one.subject, "check": one.check, "verdict": one.verdict.value, "detail": one.detail}
