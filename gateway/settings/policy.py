"""What policy falls back to, how long a confirmation waits, and how long what is done with is kept."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from gateway.domain.inbound import StopCovers
from gateway.domain.preferences import SuppressionReason
from gateway.settings.values import Duration, Section, Zone, listed


def _as_packs(value: object) -> object:
    """A variable holds a text: `true`, `false`, or countries with commas between."""
    return value if isinstance(value, str) and value.lower() in ("true", "false") else listed(value)


class OverrideSettings(Section):
    """A rule of a country pack that is not followed, and why."""

    rule: Annotated[str, Field(min_length=1)]
    reason: Annotated[str, Field(min_length=1)]
    """Whose advice it is; logged at each start, and in the trace of every decision that it concerns."""


def _never_a_stop(reasons: tuple[SuppressionReason, ...]) -> tuple[SuppressionReason, ...]:
    if SuppressionReason.STOP in reasons:
        raise ValueError("a STOP holds for every message; only bounce, complaint and manual can be overridden")
    return reasons


class PolicySettings(Section):
    """What policy falls back to."""

    default_timezone: Zone = "UTC"
    """For a recipient of whom no zone is known."""
    stop_covers: StopCovers = StopCovers.EVERYTHING
    """What a text that says STOP ends for its number."""
    release_over: Annotated[Duration, Field(ge=timedelta(0), le=timedelta(hours=1))] = timedelta(minutes=5)
    """Over how long what waits for one opening is let go, so that a country does not go out in one second."""
    consent: Literal["channel", "topic"] = "channel"
    """Whether marketing needs a grant for the very channel, or one for the topic on any channel."""
    critical_overrides: Annotated[
        tuple[SuppressionReason, ...], BeforeValidator(listed), AfterValidator(_never_a_stop)
    ] = ()
    """The suppressions that a `critical` message may pass."""
    packs: Annotated[bool | tuple[str, ...], BeforeValidator(_as_packs)] = True
    """Whether the rules that ship for the recipient's country hold: all, none, or those of these countries."""
    overrides: tuple[OverrideSettings, ...] = ()


class ConsentsSettings(Section):
    """Double opt-in."""

    confirm_within: Annotated[Duration, Field(ge=timedelta(days=1))] = timedelta(days=7)
    """How long the link works by which a person confirms."""


class RetentionSettings(Section):
    """How long what is done with is kept; no part outlives its message."""

    messages: Annotated[Duration, Field(ge=timedelta(days=3))] = timedelta(days=400)
    """From the acceptance, and from the last change of a delivery; not below the 72 h of idempotency keys."""
    events: Duration = timedelta(days=400)
    """Timelines, and the texts that came in."""
    content: Duration = timedelta(days=400)
    """What was rendered, as the proof of what was sent."""
    mailbox: Duration = timedelta(days=30)
