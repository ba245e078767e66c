"""What the author of an adapter needs: the seam, and the few things that every adapter does the same way.

An adapter has a `name` and `capabilities`, and two verbs. `send` makes one call and classifies the answer as a
`SendResult`: it raises for nothing that a provider or a network does, never retries and never logs. `aclose` closes
what it opened and may be called twice.

What not every provider has is a protocol of its own. One that calls us is a `WebhookReceiver`: `verify` the raw
bytes, then `parse` them; one that wants to be called back before it tells more is `Confirming`. One that can be asked
what became of a message is a `StatusSource`, one whose messages can be looked through for a call whose answer was lost
is `Searchable`, one that takes messages back is `Recallable`, and one that can be asked whether it would take any is
`Probed`.

A distribution of its own names a `ProviderKind` under the entry-point group `heliograph.providers`.
"""

import re
from typing import Final

from gateway.domain.ids import AttemptId, DeliveryId
from gateway.domain.inbound import Inbound
from gateway.domain.lifecycle import Evidence
from gateway.domain.messages import (
    MASK,
    Content,
    DeviceResult,
    EmailContent,
    Envelope,
    Outcome,
    PushContent,
    SendResult,
    SmsContent,
)
from gateway.domain.preferences import SuppressionReason
from gateway.domain.receipts import Reaction, Receipt
from gateway.domain.recipients import Channel, PushDevice, PushPlatform, masked
from gateway.ports import (
    Candidate,
    Capabilities,
    Clock,
    Confirming,
    Fitness,
    HttpProviderSection,
    LostCall,
    Opening,
    Probed,
    ProbeResult,
    Provider,
    ProviderKind,
    ProviderSection,
    Recallable,
    Searchable,
    StatusSource,
    WebhookReceiver,
    WebhookRequest,
)

__all__ = [
    "AttemptId",
    "Candidate",
    "Capabilities",
    "Channel",
    "Clock",
    "Confirming",
    "Content",
    "DeliveryId",
    "DeviceResult",
    "EmailContent",
    "Envelope",
    "Evidence",
    "Fitness",
    "HttpProviderSection",
    "Inbound",
    "LostCall",
    "Opening",
    "Outcome",
    "ProbeResult",
    "Probed",
    "Provider",
    "ProviderKind",
    "ProviderSection",
    "PushContent",
    "PushDevice",
    "PushPlatform",
    "Reaction",
    "Recallable",
    "Receipt",
    "Searchable",
    "SendResult",
    "SmsContent",
    "StatusSource",
    "SuppressionReason",
    "WebhookReceiver",
    "WebhookRequest",
    "masked",
    "plain_text",
    "reads_like",
    "redacted",
    "wrong_channel",
]

_DETAIL_LENGTH: Final = 240
_WORD: Final = r"[^\s<>()\[\]:;,\"']"
# Begins where a word does: a search from every letter would take quadratic time on a long one.
_ADDRESS: Final = re.compile(rf"(?<!{_WORD}){_WORD}+@{_WORD}+|\+\d{{7,15}}")
_UNPRINTABLE: Final = re.compile("[\\s\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff]+")
_SHORTEST_TELLING_PART: Final = 3


def redacted(words: str, *addresses: str) -> str:
    """A provider's words, fit for logs and the timeline: one short line in which no address can be read.

    `addresses` are those of the call: providers quote them, and also the part before the @ alone.
    """
    text = _UNPRINTABLE.sub(" ", words)
    for address in filter(None, addresses):
        # Whole first: an odd one, such as '@example.org, is not recognised as an address among other words.
        if not _is_plainly_absent(address, text):
            text = re.sub(re.escape(address), lambda found: masked(found[0]), text, flags=re.IGNORECASE)
    if "@" in text or "+" in text:
        text = _ADDRESS.sub(lambda found: masked(found[0]), text)
    for address in addresses:
        # Carriers write a number without its plus, or with zeros for it.
        local = address.partition("@")[0].removeprefix("+")
        if len(local) >= _SHORTEST_TELLING_PART and not _is_plainly_absent(local, text):
            text = re.sub(rf"(?<!\w)(?:00)?{re.escape(local)}(?!\w)", "•••", text, flags=re.IGNORECASE)
    return text.strip()[:_DETAIL_LENGTH]


def _is_plainly_absent(part: str, text: str) -> bool:
    """Whether no pattern need be made, which costs much; beyond ASCII letter case is too odd to say so."""
    return part.isascii() and text.isascii() and part.lower() not in text.lower()


def plain_text(value: object, longest: int = 200) -> str | None:
    """A member of a provider's document, where it is a text that can be kept; None for anything else."""
    if not isinstance(value, str) or not value:
        return None
    if any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in value):
        # No store keeps these, and no provider of ours has a reason for them.
        return None
    return value[:longest]


def reads_like(text: str, shown: str) -> bool:
    """Whether a text is what is `shown`, whatever stands where a secret value is masked; spaces count as one."""
    parts = (re.escape(" ".join(part.split())) for part in shown.split(MASK))
    return re.fullmatch(r"\s*.{0,200}?\s*".join(parts), " ".join(text.split()), re.DOTALL) is not None


def wrong_channel(envelope: Envelope) -> SendResult:
    """The answer to an envelope that the adapter cannot carry: the routes name the wrong provider."""
    return SendResult(
        outcome=Outcome.MISCONFIGURED,
        code="wrong_channel",
        detail=f"This provider does not carry {envelope.channel.value}; correct the routes.",
    )
