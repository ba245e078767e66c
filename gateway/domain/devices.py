"""Several devices, one delivery: what their answers come to together, and which of them are condemned."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from gateway.domain.messages import DeviceResult, Envelope, Outcome, SendResult
from gateway.domain.preferences import SuppressionReason

_FIRST: Final = (
    # One that was reached is enough. Else what may have been taken decides, then what may fare better, then the rest.
    Outcome.DELIVERED,
    Outcome.SENT,
    Outcome.UNKNOWN,
    Outcome.TRANSIENT,
    Outcome.THROTTLED,
    Outcome.MISCONFIGURED,
    Outcome.REJECTED,
    Outcome.OPTED_OUT,
    Outcome.INVALID_RECIPIENT,
)
SKIPPED: Final = "skipped"
"""What a device is listed as that was no part of the call."""
_CONDEMNED: Final[Mapping[str, SuppressionReason]] = MappingProxyType(
    {
        Outcome.INVALID_RECIPIENT.value: SuppressionReason.BOUNCE,
        Outcome.OPTED_OUT.value: SuppressionReason.STOP,
    }
)
"""Answers after which an address is not to be written to again."""


def decisive(results: Sequence[SendResult]) -> int:
    """Which of the answers speaks for all; of equal ones the first."""
    return min(range(len(results)), key=lambda index: _FIRST.index(results[index].outcome))


def together(results: Sequence[SendResult], devices: tuple[DeviceResult, ...] = ()) -> SendResult:
    """One answer for all, with the longest wait that any of them asks for."""
    one = results[decisive(results)]
    return SendResult(
        outcome=one.outcome,
        provider_message_id=one.provider_message_id,
        code=one.code,
        detail=one.detail,
        retry_after_seconds=max(result.retry_after_seconds or 0.0 for result in results) or None,
        devices=devices,
    )


def condemned(envelope: Envelope, result: SendResult) -> Iterator[tuple[str, SuppressionReason]]:
    """The addresses that are not to be written to again; of several devices those of which the answer tells it."""
    addresses = [device.address for device in envelope.devices] or [envelope.to]
    # Those that were left out of the call are listed after its own.
    called = [device.status for device in result.devices if device.status != SKIPPED]
    fates = [result.outcome.value] if len(addresses) == 1 else called
    if len(fates) == len(addresses):
        for address, fate in zip(addresses, fates, strict=True):
            if fate in _CONDEMNED:
                yield address, _CONDEMNED[fate]
