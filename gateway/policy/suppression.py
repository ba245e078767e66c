"""Addresses that must never be written to, and people who have none."""

from datetime import datetime

from gateway.domain.decisions import Facts
from gateway.domain.instants import rfc3339
from gateway.domain.preferences import Category, Suppression, SuppressionReason
from gateway.domain.recipients import JsonValue, masked
from gateway.policy.rulings import Ruling, passes, suppresses

RULE = "suppression"


def open_addresses(facts: Facts, now: datetime) -> tuple[str, ...]:
    """The recipient's addresses on the channel that no suppression forbids now, in their order."""
    addresses = facts.recipient.addresses(facts.channel)
    if not facts.suppressions:
        return addresses
    return tuple(
        address
        for address in addresses
        if not any(_forbids(suppression, address, facts, now) for suppression in facts.suppressions)
    )


def check_suppression(facts: Facts, now: datetime) -> Ruling:
    """Refuse a person without an address, and one all of whose addresses are suppressed.

    Of several devices those that are not suppressed are still reached.
    """
    addresses = facts.recipient.addresses(facts.channel)
    standing = [
        suppression
        for suppression in facts.suppressions
        if any(_speaks_against(suppression, address, facts, now) for address in addresses)
    ]
    saw: dict[str, JsonValue] = {
        "addresses": [masked(address) for address in addresses],
        "suppressions": [_shown(suppression) for suppression in standing],
    }
    if overridden := [suppression.id for suppression in standing if _is_overridden(suppression, facts)]:
        saw["overridden"] = [*overridden]
    if not addresses:
        return suppresses(RULE, "no_address", saw)
    if open_addresses(facts, now):
        return passes(RULE, saw)
    return suppresses(RULE, "suppressed", saw)


def _forbids(suppression: Suppression, address: str, facts: Facts, now: datetime) -> bool:
    return _speaks_against(suppression, address, facts, now) and not _is_overridden(suppression, facts)


def _speaks_against(suppression: Suppression, address: str, facts: Facts, now: datetime) -> bool:
    return (
        suppression.is_of(facts.channel, address)
        and not suppression.spares(facts.message_id)
        and suppression.forbids(facts.category, facts.topic, now)
    )


def _is_overridden(suppression: Suppression, facts: Facts) -> bool:
    """Whether the message is so urgent that the settings let it pass this one; a STOP lets nothing pass."""
    return (
        facts.category is Category.CRITICAL
        and suppression.reason in facts.overridden
        and suppression.reason is not SuppressionReason.STOP
    )


def _shown(suppression: Suppression) -> dict[str, JsonValue]:
    return {
        "id": suppression.id,
        "address": masked(suppression.address or ""),
        "reason": suppression.reason.value,
        "scope": suppression.scope,
        "created_at": rfc3339(suppression.created_at),
        "expires_at": None if suppression.expires_at is None else rfc3339(suppression.expires_at),
    }
