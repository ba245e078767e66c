"""The table of features in the docs, made of what our adapters say of themselves.

python -m tests.features        write it into docs/providers/index.md
"""

import asyncio
import re
from pathlib import Path
from typing import Final

from gateway.ports import Provider
from providers.conformance.features import table
from providers.mailbox import MailboxProvider
from providers.smtp import SmtpProvider, SmtpSettings
from tests.contract.test_apns import make_apns
from tests.contract.test_apprise import make_apprise
from tests.contract.test_fcm import make_fcm
from tests.contract.test_kannel import make_kannel
from tests.contract.test_providers import MemoryMailbox, WallClock
from tests.contract.test_sendgrid import make_sendgrid
from tests.contract.test_ses import make_ses
from tests.contract.test_twilio import make_twilio
from tests.contract.test_webpush import make_webpush

PAGE: Final = Path(__file__).parents[1] / "docs" / "providers" / "index.md"
_TABLE: Final = re.compile(r"^\| provider \|.*\n(?:\|.*\n)+", re.MULTILINE)


async def make_table() -> str:
    """The table as it should stand; a provider that has a page is linked to it."""
    mailbox = await MailboxProvider.open("mailbox", MemoryMailbox(), WallClock())
    await mailbox.aclose()
    providers: dict[str, Provider] = {
        "mailbox": mailbox,
        "smtp": SmtpProvider("smtp", SmtpSettings(host="relay.test", bounce_domain="bounces.test")),
        "twilio": make_twilio(),
        "sendgrid": make_sendgrid(),
        "ses": make_ses(),
        "kannel": make_kannel(),
        "apprise": make_apprise(),
        "webpush": make_webpush(),
        "apns": make_apns(),
        "fcm": make_fcm("http://127.0.0.1:1"),
    }
    return table({_named(kind): provider for kind, provider in sorted(providers.items())}) + "\n"


def standing_table() -> str:
    """The table as it stands in the docs."""
    found = _TABLE.search(PAGE.read_text(encoding="utf-8"))
    return found[0] if found else ""


def _named(kind: str) -> str:
    return f"[`{kind}`]({kind}.md)" if (PAGE.parent / f"{kind}.md").exists() else f"`{kind}`"


if __name__ == "__main__":
    PAGE.write_text(PAGE.read_text(encoding="utf-8").replace(standing_table(), asyncio.run(make_table())))
