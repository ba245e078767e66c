"""A template as it serves: what it is for, what it takes, and its parts in their own and in locales' versions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from babel import Locale

from gateway.domain.lifecycle import Strategy
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel, JsonValue
from gateway.errors import NotFound
from gateway.localization.locales import parents
from gateway.rendering.manifest import PushSettings
from gateway.rendering.parts import Part
from gateway.rendering.variables import Variable

PartKey = tuple[Channel, str]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Template:
    """One template in one version; never changed."""

    name: str
    version: str
    """Short SHA-256 over its files and the layouts that they use."""
    description: str
    category: Category
    topic: str | None
    channels: tuple[Channel, ...]
    strategy: Strategy
    fallback_after: timedelta | None
    expires_after: timedelta | None
    variables: Mapping[str, Variable]
    samples: Mapping[str, Mapping[str, JsonValue]]
    parts: Mapping[PartKey, Part] = field(repr=False)
    variants: Mapping[Locale, Mapping[PartKey, Part]] = field(repr=False)
    """Locales' own parts, which stand in for those of the same name."""
    counts: frozenset[tuple[str, ...]]
    """Paths of values that choose a plural form and whose type does not make them integers."""
    trials: frozenset[Channel]
    """The channels of which a part needs a trial before it is promised."""
    sms_max_segments: int | None
    sms_substitute: bool
    push: PushSettings

    def parts_in(self, channel: Channel, locale: Locale) -> Mapping[str, Part]:
        """The parts of a channel by name, each the nearest to the locale: its own, its parents', the common one."""
        found = {name: part for (of, name), part in self.parts.items() if of is channel}
        for ancestor in reversed((locale, *parents(locale))):
            variant = self.variants.get(ancestor, {})
            found.update({name: part for (of, name), part in variant.items() if of is channel})
        return found

    def may_be_empty(self, channel: Channel) -> bool:
        """Whether some part of the channel needs a trial: it could come out blank, or shows what may be absent."""
        return channel in self.trials


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All templates of one instant; a message is rendered from one snapshot."""

    version: str
    templates: Mapping[str, Template] = field(repr=False)
    broken: Mapping[str, str]
    """Name → why the files on disk are not served, or why the last good version still is."""

    @property
    def names(self) -> tuple[str, ...]:
        """Every template that serves, in alphabetical order."""
        return tuple(sorted(self.templates))

    def template(self, name: str) -> Template:
        """The template of that name. Raises NotFound."""
        try:
            return self.templates[name]
        except KeyError:
            raise NotFound(f"there is no template {name[:64]!r}") from None
