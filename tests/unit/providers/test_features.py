"""The table of what each provider can do says what the adapters say of themselves."""

import re
from pathlib import Path

from gateway.domain.recipients import Channel
from gateway.ports import Probed, Provider, StatusSource
from providers.mailbox import MailboxProvider
from providers.smtp import SmtpProvider, SmtpSettings
from tests.contract.test_apns import make_apns
from tests.contract.test_fcm import make_fcm
from tests.contract.test_kannel import make_kannel
from tests.contract.test_providers import MemoryMailbox, WallClock
from tests.contract.test_sendgrid import make_sendgrid
from tests.contract.test_ses import make_ses
from tests.contract.test_twilio import make_twilio
from tests.contract.test_webpush import make_webpush

PAGE = Path(__file__).parents[3] / "docs" / "providers" / "index.md"


async def test_the_table_of_features_is_right() -> None:
    mailbox = await MailboxProvider.open("mailbox", MemoryMailbox(), WallClock())
    await mailbox.aclose()
    providers: dict[str, Provider] = {
        "mailbox": mailbox,
        "smtp": SmtpProvider("smtp", SmtpSettings(host="relay.test", bounce_domain="bounces.test")),
        "twilio": make_twilio(),
        "sendgrid": make_sendgrid(),
        "ses": make_ses(),
        "kannel": make_kannel(),
        "webpush": make_webpush(),
        "apns": make_apns(),
        "fcm": make_fcm("http://127.0.0.1:1"),
    }

    rows = {row[1]: row[2] for row in re.finditer(r"^\| \[?`(\w+)`[^|]*\| (.+) \|$", PAGE.read_text(), re.MULTILINE)}

    assert rows == {kind: line(provider) for kind, provider in providers.items()}


def line(provider: Provider) -> str:
    able = provider.capabilities
    told = (able.receipts, able.idempotent, isinstance(provider, StatusSource), isinstance(provider, Probed))
    channels = ", ".join(channel.value for channel in Channel if channel in able.channels)
    return " | ".join([channels, *("yes" if one else "no" for one in told)])
