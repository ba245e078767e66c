"""What follows from a message at its reader's end: opens, clicks and conversions, each told apart by who made it.

Images are loaded and links are followed by programs as well as by people: mail providers fetch images through proxies,
some of them before anybody has looked, and scanners follow every link. What programs do is kept apart, never dropped.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from gateway.domain.ids import DeliveryId, EngagementId, MessageId, RecipientId, ServiceId
from gateway.domain.preferences import Category
from gateway.domain.recipients import JsonValue
from gateway.domain.values import Value


class EngagementKind(StrEnum):
    """What happened."""

    OPENED = "opened"
    """The pixel of an e-mail was loaded."""
    CLICKED = "clicked"
    """A link was followed."""
    CONVERTED = "converted"
    """The service tells of an order, a sign-up or the like that the message led to."""


class Maker(StrEnum):
    """Who made it, as far as the request tells."""

    PERSON = "person"
    APPLE_PROXY = "apple_proxy"
    """Apple Mail's Privacy Protection loads the images of every message, read or not."""
    GMAIL_PROXY = "gmail_proxy"
    """Google's image proxy: it loads an image for whoever opens the message, and now and then before."""
    SCANNER = "scanner"
    """A program that looks for harm before, or makes previews of, what a person may read."""


class Look(Value, frozen=True, kw_only=True):
    """One request for a pixel or a link, as it came."""

    kind: EngagementKind
    delivery_id: DeliveryId
    target: str | None = None
    """Where the link leads; None for a pixel."""
    method: str
    user_agent: str
    purpose: str = ""
    """What the program says that it fetches it for: the headers `Sec-Purpose`, `Purpose` and their like."""
    at: datetime
    among: frozenset[Category]
    """The categories whose messages this is kept of."""


class Engagement(Value, frozen=True, kw_only=True):
    """One open, click or conversion."""

    id: EngagementId
    message_id: MessageId
    delivery_id: DeliveryId
    kind: EngagementKind
    made_by: Maker
    at: datetime
    data: Mapping[str, JsonValue]
    """As it came: `method`, `user_agent`, `purpose` and a click's `url`; or what the service told of a conversion."""

    @property
    def url(self) -> str | None:
        """Where a click went."""
        url = self.data.get("url")
        return url if isinstance(url, str) else None


class Conversion(Value, frozen=True, kw_only=True):
    """What a service tells of, and one way to find the message that led to it."""

    service_id: ServiceId
    name: str
    """What happened, such as `order`."""
    reference: str | None = None
    """The service's own name for it: told twice under one, it counts once."""
    at: datetime
    told_at: datetime
    data: Mapping[str, JsonValue]
    """All that it told."""
    message_id: MessageId | None = None
    delivery_id: DeliveryId | None = None
    recipient_id: RecipientId | None = None
    """The message is the one whose link this person followed last."""


_APPLE_PROXY: Final = "Mozilla/5.0"
"""All that Apple's proxies say of themselves; every browser says more."""
_GMAIL_PROXY: Final = re.compile(r"GoogleImageProxy|ggpht\.com", re.IGNORECASE)
_GMAIL_AHEAD: Final = re.compile(r"Edge/12\.246 Mozilla/5\.0$")
"""What the same proxy calls itself where it loads ahead of the reader."""
_PROGRAMS: Final = re.compile(
    r"(?<!cu)bot\b|crawl|spider|slurp|scan(?:ner|ning)|preview|prefetch|headless|phantomjs|safelinks|url ?defense"
    r"|mimecast|barracuda|proofpoint|symantec|trendmicro|fortinet|forcepoint|zscaler|virustotal|urlscan"
    r"|facebookexternalhit|whatsapp|slack-|curl/|wget/|python|aiohttp|httpx|go-http-client|java/|okhttp|apache-httpclient|libwww|\bruby\b"
    r"|node-fetch|axios|\bperl\b|php/|scrapy",
    re.IGNORECASE,
)
"""Programs by what they call themselves. Cubot makes telephones, and Outlook, which names Office, is read by people."""
_AHEAD: Final = re.compile(r"prefetch|prerender|preview", re.IGNORECASE)
_AT_ONCE: Final = timedelta(seconds=5)
"""So soon after the call to the provider nobody has the message before them."""
_TOGETHER: Final = timedelta(seconds=2)
"""Nobody follows two links of a message within so short a time."""


def judge(look: Look, sent_at: datetime | None) -> Maker:
    """Who made a request, from what it says of itself and from how soon it came after the hand-over."""
    agent = look.user_agent.strip()
    if agent == _APPLE_PROXY:
        return Maker.APPLE_PROXY
    if _GMAIL_PROXY.search(agent) or _GMAIL_AHEAD.search(agent):
        return Maker.GMAIL_PROXY
    named = not agent or _PROGRAMS.search(agent) is not None
    if named or look.method != "GET" or _AHEAD.search(look.purpose):
        return Maker.SCANNER
    if sent_at is not None and look.at < sent_at + _AT_ONCE:
        return Maker.SCANNER
    return Maker.PERSON


def followed_together(look: Look, earlier: Iterable[Engagement]) -> list[Engagement]:
    """Clicks on other links of the delivery just before this one: where there are any, no person made this or them."""
    if look.kind is not EngagementKind.CLICKED:
        return []
    return [
        one
        for one in earlier
        if one.kind is EngagementKind.CLICKED
        and one.delivery_id == look.delivery_id
        and one.url != look.target
        and abs(look.at - one.at) < _TOGETHER
    ]


def tally(engagements: Iterable[tuple[EngagementKind, Maker, int]]) -> dict[EngagementKind, tuple[int, int]]:
    """For each kind how many people made, and how many machines, from counts by kind and maker."""
    counted = dict.fromkeys(EngagementKind, (0, 0))
    for kind, made_by, number in engagements:
        people, machines = counted[kind]
        is_person = made_by is Maker.PERSON
        counted[kind] = people + number * is_person, machines + number * (not is_person)
    return counted
