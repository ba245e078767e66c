"""The filters of the delivery log, as its URL spells them."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.recipients import Channel
from gateway.errors import FieldProblem, InvalidRequest
from gateway.localization.locales import parse_locale, to_tag
from gateway.ports import MessageQuery

NAMES: Final = ("text", "status", "channel", "template", "recipient", "locale", "tag", "from", "before")
PAGE_SIZE: Final = 50
_MAX_LENGTH: Final = 254
T = TypeVar("T")


def read_filters(query: Mapping[str, str]) -> dict[str, str]:
    """What is asked for by each filter; an empty text where it says nothing."""
    return {name: query.get(name, "").strip() for name in NAMES}


def to_query(filters: Mapping[str, str], timezone: str, cursor: str | None) -> MessageQuery:
    """The question to the store. Raises InvalidRequest that names each filter that cannot be read."""
    wrong: list[FieldProblem] = []

    def read(name: str, reader: Callable[[str], T]) -> T | None:
        text = filters[name]
        if not text:
            return None
        try:
            if len(text) > _MAX_LENGTH:
                raise ValueError(name)
            return reader(text)
        except (ValueError, OverflowError):
            # Near the calendar's ends an offset leads out of it.
            wrong.append(FieldProblem(pointer=f"?{name}", code="invalid", message=f"{name} cannot be read"))
            return None

    query = MessageQuery(
        text=read("text", str),
        status=read("status", DeliveryStatus),
        channel=read("channel", Channel),
        template=read("template", str),
        recipient=read("recipient", str),
        locale=read("locale", _canonical_tag),
        tag=read("tag", str),
        created_from=read("from", lambda text: _instant(text, timezone)),
        created_before=read("before", lambda text: _instant(text, timezone)),
        limit=PAGE_SIZE,
        cursor=cursor,
    )
    if wrong:
        raise InvalidRequest("Some filters cannot be read.", wrong)
    return query


def _canonical_tag(text: str) -> str:
    return to_tag(parse_locale(text))


def _instant(text: str, timezone: str) -> datetime:
    """An instant from a form's wall time in the pages' zone, or from RFC 3339 as links carry it."""
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(timezone))).astimezone(UTC)
