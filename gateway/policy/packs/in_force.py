"""Which rules are in force for a recipient: the operator's and the country's together, less what was overridden."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Final

from gateway.domain.encoding import encode
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel
from gateway.domain.rules import NO_RULES, FrequencyCap, Overridden, QuietHours, RuleSet
from gateway.domain.values import Value
from gateway.errors import ConfigurationError
from gateway.policy.packs.reading import Pack, PackLine


class Override(Value, frozen=True, kw_only=True):
    """A line of a pack that the operator answers for not following."""

    rule: str
    reason: str


def choose_packs(packs: Mapping[str, Pack], wanted: bool | Collection[str]) -> Mapping[str, Pack]:
    """All packs, none, or those of some countries. Raises ConfigurationError for a country without one."""
    if isinstance(wanted, bool):
        return packs if wanted else {}
    if unknown := sorted(set(wanted) - set(packs)):
        raise ConfigurationError(
            f"policy.packs: there is no pack for {', '.join(unknown)}; `heliograph config packs` lists them"
        )
    return {country: pack for country, pack in packs.items() if country in wanted}


class _Country(Value, frozen=True, kw_only=True):
    """What holds in a country for one channel and category."""

    everywhere: RuleSet
    """The operator's own rules among them."""
    regional: tuple[tuple[tuple[str, ...], RuleSet], ...]
    """What holds in some regions alone, but for hours: those know their regions themselves."""


class RulesInForce:
    """Finds the rules for a recipient: two look-ups in tables, and none where no rule speaks of such a message."""

    def __init__(
        self, own: RuleSet = NO_RULES, packs: Mapping[str, Pack] | None = None, overrides: Sequence[Override] = ()
    ) -> None:
        """Raises ConfigurationError for an override that names no line, or none that is in force."""
        packs = packs or {}
        lines = [line for pack in packs.values() for line in pack.lines]
        self.overrides: Final[Mapping[str, str]] = _checked(overrides, {line.rule.name for line in lines}, own)
        standing = [line for line in lines if line.rule.name not in self.overrides]
        self.caps: Final = own.frequency_caps + tuple(
            line.rule for line in standing if isinstance(line.rule, FrequencyCap)
        )
        """Every cap that may speak of anybody."""
        self.digest: Final = sha256(encode((own, standing))).hexdigest()
        """Tells these rules from any others."""
        kinds = [(channel, category) for channel in Channel for category in Category]
        self._own = {kind: _speaking(own, *kind) for kind in kinds}
        self._countries = {kind: _by_country(lines, self.overrides, *kind, self._own[kind]) for kind in kinds}
        self._spoken_of = frozenset([kind for kind in kinds if self._own[kind] or self._countries[kind]])

    def of(self, channel: Channel, category: Category, country: str | None, region: str | None = None) -> RuleSet:
        """Those that may speak of such a message to a person who is there.

        Rules with topics of their own are among them, whatever the topic.
        """
        own = self._own[channel, category]
        local = self._countries[channel, category].get(country or "")
        if local is None:
            return own
        rules = local.everywhere
        for regions, regional in local.regional:
            if region in regions:
                rules = rules.joined(regional)
        return rules

    def speaks_of(self, channel: Channel, category: Category) -> bool:
        """Whether there is any rule for such a message, in any country: without one nothing need be looked up."""
        return (channel, category) in self._spoken_of

    def caps_all(self, channel: Channel, category: Category) -> bool:
        """Whether a cap speaks of such messages to anybody, wherever they are."""
        return bool(self._own[channel, category].frequency_caps)


def _speaking(rules: RuleSet, channel: Channel, category: Category) -> RuleSet:
    """As `RuleSet.speaking_of`, for every topic."""
    return RuleSet(
        quiet_hours=tuple(rule for rule in rules.quiet_hours if _fits(rule, channel, category)),
        frequency_caps=tuple(cap for cap in rules.frequency_caps if _fits(cap, channel, category)),
    )


def _fits(rule: QuietHours | FrequencyCap, channel: Channel, category: Category) -> bool:
    return rule.speaks_of(channel, category, rule.topics[0] if rule.topics else None)


def _by_country(
    lines: Iterable[PackLine], overrides: Mapping[str, str], channel: Channel, category: Category, own: RuleSet
) -> Mapping[str, _Country]:
    found: dict[str, list[PackLine]] = {}
    for line in lines:
        if _fits(line.rule, channel, category):
            found.setdefault(line.country, []).append(line)
    return {country: _country(of_country, overrides, own) for country, of_country in found.items()}


def _country(lines: Sequence[PackLine], overrides: Mapping[str, str], own: RuleSet) -> _Country:
    everywhere, regional = RuleSet(), []
    for line in lines:
        rules = _rules_of(line, overrides.get(line.rule.name))
        if line.regions and not rules.quiet_hours:
            regional.append((line.regions, rules))
        else:
            everywhere = everywhere.joined(rules)
    return _Country(everywhere=everywhere.joined(own), regional=tuple(regional))


def _rules_of(line: PackLine, override: str | None) -> RuleSet:
    if override is not None:
        return RuleSet(overridden=(Overridden(rule=line.rule.name, origin=line.rule.origin, reason=override),))
    if isinstance(line.rule, QuietHours):
        return RuleSet(quiet_hours=(line.rule,))
    return RuleSet(frequency_caps=(line.rule,))


def _checked(overrides: Sequence[Override], lines: Collection[str], own: RuleSet) -> Mapping[str, str]:
    for override in overrides:
        if override.rule not in lines:
            raise ConfigurationError(
                f"policy.overrides: no pack in force has a rule {override.rule!r}; `heliograph config packs` lists them"
            )
        if not override.reason.strip():
            raise ConfigurationError(f"policy.overrides: say the reason why {override.rule!r} does not hold")
    names = {rule.name for rule in own.quiet_hours} | {cap.name for cap in own.frequency_caps}
    if taken := names & set(lines):
        raise ConfigurationError(
            f"policy: {', '.join(sorted(taken))} is the name of a rule of a country pack: give yours another, or the "
            "trace cannot say which one spoke"
        )
    return {override.rule: override.reason for override in overrides}
