"""Putting links that tell of clicks, and a pixel, into an e-mail that is ready to go; nothing else is changed.

Only the HTML is touched. A text message would grow by a segment or more, a plain text would no longer show where it
leads, and a notification's action often opens an app, which a detour through us would end in a browser.
"""

from collections.abc import Collection, Iterable
from typing import Final
from urllib.parse import quote, urlsplit

from gateway.delivery.engagement.links import MAX_TARGET, EngagementLinks
from gateway.domain.ids import DeliveryId
from gateway.domain.messages import Content, EmailContent
from gateway.domain.preferences import Category
from gateway.domain.values import replace
from gateway.rendering.anchors import add_pixel, replace_targets, targets_of

_KEPT: Final = "".join(map(chr, range(0x21, 0x7F)))
"""What may stand in a URL as it is; all else is percent-encoded."""


class Wrapper:
    """Knows of which messages opens and clicks are to be told, and has their contents tell."""

    def __init__(
        self,
        links: EngagementLinks,
        *,
        opens: Collection[Category],
        clicks: Collection[Category],
        hosts: Iterable[str] = (),
    ) -> None:
        self._links = links
        self._opens = frozenset(opens)
        self._clicks = frozenset(clicks)
        self._hosts = tuple(host.lower() for host in hosts)
        """The hosts, with those below them, to which links are wrapped; none: all."""

    def wrap(
        self, content: Content, shown: Content, category: Category, delivery_id: DeliveryId
    ) -> tuple[Content, Content]:
        """Both forms of a content with links that tell. A link with a secret value in it stays as it is: its token
        would carry the value, and what is kept of a click would too."""
        opens, clicks = category in self._opens, category in self._clicks
        if not (opens or clicks) or not isinstance(content, EmailContent) or not isinstance(shown, EmailContent):
            return content, shown
        if content is shown:
            wrapped = self._wrapped(content, None, delivery_id, opens=opens, clicks=clicks)
            return wrapped, wrapped
        plain = targets_of(content.html) & targets_of(shown.html)
        sent, kept = (self._wrapped(one, plain, delivery_id, opens=opens, clicks=clicks) for one in (content, shown))
        return sent, kept

    def _wrapped(
        self,
        content: EmailContent,
        only: frozenset[str] | None,
        delivery_id: DeliveryId,
        *,
        opens: bool,
        clicks: bool,
    ) -> EmailContent:
        def put(target: str) -> str | None:
            if only is not None and target not in only:
                return None
            leads_to = self._leads_to(target)
            return None if leads_to is None else self._links.click_url(delivery_id, leads_to)

        html = content.html
        if not html:
            return content
        if clicks:
            html = replace_targets(html, put)
        if opens:
            html = add_pixel(html, self._links.open_url(delivery_id))
        return replace(content, html=html)

    def _leads_to(self, target: str) -> str | None:
        """The target in ASCII; None for what is not followed by the web, and for pages of ours, where people choose
        and leave."""
        target = target.strip()
        if target.startswith(self._links.own) or not target.isprintable():
            return None
        try:
            parts = urlsplit(target)
            host = parts.hostname or ""
        except ValueError:
            return None
        if parts.scheme not in ("http", "https") or not host or not parts.netloc.isascii():
            return None
        if self._hosts and not any(host == one or host.endswith(f".{one}") for one in self._hosts):
            return None
        encoded = quote(target, safe=_KEPT)
        return encoded if len(encoded) <= MAX_TARGET else None
