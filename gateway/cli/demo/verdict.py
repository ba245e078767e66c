"""Whether each message ended as it should."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from gateway.cli.demo.posting import Posted
from gateway.domain.lifecycle import DeliveryStatus

_HOURS: Final = "quiet_hours"
_ARRIVED: Final = (DeliveryStatus.SENT, DeliveryStatus.DELIVERED)


def find_faults(posted: Sequence[Posted], messages: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """What went otherwise than planned: the message (or what it was to show) and a sentence."""
    return [
        (one.message_id or one.planned.kind, fault)
        for one in posted
        for fault in (_refusal_faults(one) if one.planned.refused else _end_faults(one, messages))
    ]


def _refusal_faults(one: Posted) -> Iterator[str]:
    pointers = [problem["pointer"] for problem in one.answer.get("errors", [])]
    wanted = one.planned.refused or ""
    if one.status != 422 or not any(pointer.startswith(wanted) for pointer in pointers):
        named = ", ".join(pointers) or "nothing"
        yield f"should be refused with 422 for {wanted}, was answered {one.status} for {named}"


def _end_faults(one: Posted, messages: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    if one.message_id is None:
        pointers = ", ".join(problem["pointer"] for problem in one.answer.get("errors", []))
        yield f"{one.planned.body['template']} was refused with {one.status} {one.answer.get('code')} {pointers}"
        return
    message = messages.get(one.message_id)
    if message is None:
        yield "was accepted, and is not in the log"
        return
    ends = {delivery["channel"]: delivery["status"] for delivery in message["deliveries"]}
    right = one.planned.wanted(ends)
    wanted = {channel: status.value for channel, status in right.items()}
    if ends != wanted:
        reasons = [delivery["reason"] for delivery in message["deliveries"] if delivery["reason"]]
        yield f"{one.planned.kind}: should be {_listed(wanted)}, is {_listed(ends)} {' '.join(reasons)}".rstrip()
    elif message["status"] != one.planned.status_of(right):
        yield f"{one.planned.kind}: should be {one.planned.status_of(right)}, is {message['status']}"
    yield from _hold_faults(message)
    if one.planned.is_sent:
        yield from _content_faults(one, message)


def _hold_faults(message: Mapping[str, Any]) -> Iterator[str]:
    for delivery in message["deliveries"]:
        if delivery["status"] == DeliveryStatus.HELD and (delivery["reason"] != _HOURS or not delivery["not_before"]):
            yield f"{delivery['channel']}: is held for {delivery['reason']} until {delivery['not_before']}"


def _content_faults(one: Posted, message: Mapping[str, Any]) -> Iterator[str]:
    wanted = one.planned.body["metadata"]["locale"]
    if message["locale"] != wanted:
        yield f"{message['template']} should be in {wanted}, is in {message['locale']}"
    due = one.planned.body.get("send_at")
    for delivery in message["deliveries"]:
        arrived = delivery["status"] in _ARRIVED
        if arrived and delivery["content"] is None:
            yield f"{delivery['channel']}: went out without a content on record"
        if (
            arrived
            and due
            and any(
                datetime.fromisoformat(attempt["started_at"]) < datetime.fromisoformat(due)
                for attempt in delivery["attempts"]
            )
        ):
            yield f"{delivery['channel']}: went out before {due}"


def _listed(ends: Mapping[str, str]) -> str:
    return ", ".join(f"{channel} {status}" for channel, status in ends.items()) or "nowhere"
