"""The rules in force: the settings' own and those of the country packs that they choose."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256

import pytz
import structlog

from gateway.bootstrap.spending import make_spending
from gateway.delivery.dispatching.facts import Terms
from gateway.domain.audit import SYSTEM, AuditAction, By, make_entry
from gateway.domain.encoding import encode
from gateway.policy.packs.in_force import Override, RulesInForce, choose_packs
from gateway.policy.packs.reading import Pack, load_packs
from gateway.ports import AuditQuery, AuditStore
from gateway.settings import Settings
from gateway.storage.engines.engine import Database
from gateway.storage.queue.rules_in_force import adopt_rules

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def read_rules(settings: Settings, shipped: Mapping[str, Pack] | None = None) -> RulesInForce:
    """Put them together. Raises ConfigurationError for a pack or an override that names nothing that ships."""
    policy = settings.policy
    return RulesInForce(
        settings.rules(),
        choose_packs(load_packs() if shipped is None else shipped, policy.packs),
        [Override(rule=one.rule, reason=one.reason) for one in policy.overrides],
    )


def make_terms(settings: Settings) -> Terms:
    """What the settings say of policy, its rules among it. Raises as `read_rules`."""
    policy, rules = settings.policy, read_rules(settings)
    tell_overrides(rules)
    return Terms(
        rules=rules,
        default_timezone=policy.default_timezone,
        consent_on_any_channel=policy.consent == "topic",
        overridden=frozenset(policy.critical_overrides),
        spending=make_spending(settings),
    )


async def record_overrides(rules: RulesInForce, audit: AuditStore, now: datetime) -> None:
    """Keep in the audit trail which rules of packs are not followed, and why; once for each reason."""
    for rule, reason in rules.overrides.items():
        last = await audit.list_audit(AuditQuery(action=AuditAction.OVERRIDE, subject=rule), 1, None)
        if [entry.reason for entry in last.items] != [reason]:
            await audit.add_audit(make_entry(AuditAction.OVERRIDE, rule, By(actor=SYSTEM, reason=reason), now))


async def follow_rules(terms: Terms, database: Database, now: datetime) -> None:
    """Have what is held decided again where other rules are in force than at the start before."""
    if looked_at := await adopt_rules(database, fingerprint_of(terms), now):
        _log.info("rules.changed", held=looked_at)


def fingerprint_of(terms: Terms) -> str:
    """What changes with anything by which a held delivery would be decided otherwise, the clocks' tables included."""
    told = (
        terms.rules.digest,
        terms.default_timezone,
        terms.consent_on_any_channel,
        sorted(terms.overridden),
        terms.spending.digest,
        vars(pytz)["OLSON_VERSION"],
    )
    return sha256(encode(told)).hexdigest()


def tell_overrides(rules: RulesInForce) -> None:
    """Say at the start which rules of packs are not followed, and why."""
    for rule, reason in rules.overrides.items():
        _log.warning("policy.overridden", rule=rule, reason=reason)


def standing_of(settings: Settings, shipped: Mapping[str, Pack]) -> Mapping[str, str]:
    """By name of each rule that ships: `in force`, `off`, or `overridden: ` and the reason."""
    rules, chosen = read_rules(settings, shipped), choose_packs(shipped, settings.policy.packs)
    return {
        line.rule.name: _standing(rules.overrides.get(line.rule.name), line.country in chosen)
        for pack in shipped.values()
        for line in pack.lines
    }


def _standing(override: str | None, is_chosen: bool) -> str:
    if override is not None:
        return f"overridden: {override}"
    return "in force" if is_chosen else "off"
