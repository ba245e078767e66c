"""One push delivery, device by device: each call's own outcome, and what they come to together."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Final

from gateway.domain.devices import SKIPPED, together
from providers.base import (
    DeviceResult,
    Envelope,
    Outcome,
    PushContent,
    PushDevice,
    PushPlatform,
    SendResult,
    wrong_channel,
)

_LONGEST_COLLAPSE: Final = 64
"""Bytes of a collapse id at Apple's."""

SendOne = Callable[[PushDevice, PushContent], Awaitable[SendResult]]


async def send_to_devices(envelope: Envelope, platform: PushPlatform, send_one: SendOne) -> SendResult:
    """Call for each device of the platform, all at once; `sent` if one was reached."""
    content = envelope.content
    if not isinstance(content, PushContent):
        return wrong_channel(envelope)
    ours = [device for device in envelope.devices if device.platform is platform]
    if not ours:
        return SendResult(
            outcome=Outcome.MISCONFIGURED,
            code="wrong_platform",
            detail=f"No device of this person is reached by {platform.value}; correct the routes.",
        )
    results = await asyncio.gather(*(send_one(device, content) for device in ours))
    in_turn = iter(results)
    devices = (_told(one, next(in_turn) if one.platform is platform else None) for one in envelope.devices)
    return together(results, tuple(devices))


def collapse_id(key: str) -> str:
    """A collapse key as a header of Apple's holds it: as it is, or where that cannot be its digest."""
    fits = key.isascii() and key.isprintable() and key == key.strip() and len(key) <= _LONGEST_COLLAPSE
    return key if fits else hashlib.sha256(key.encode()).hexdigest()


def _told(device: PushDevice, result: SendResult | None) -> DeviceResult:
    if result is None:
        return DeviceResult(platform=device.platform.value, status=SKIPPED, reason="wrong_platform")
    return DeviceResult(
        platform=device.platform.value,
        status=result.outcome.value,
        reason=None if result.outcome is Outcome.SENT else result.code,
        provider_message_id=result.provider_message_id,
    )
