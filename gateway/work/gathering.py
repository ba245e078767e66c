"""The metrics of several processes as one exposition: counters and histograms are sums, whoever died since."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import add
from typing import Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample as PrometheusSample

from gateway.metrics import SAME_EVERYWHERE

Sample = tuple[str, tuple[tuple[str, str], ...], float]
"""Name, labels and value."""

_GAUGE: Final = "gauge"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric of one process, as it travels: what `snapshot` gives, as JSON lists."""

    name: str
    kind: str
    text: str
    samples: Sequence[Sample]


def snapshot(registry: CollectorRegistry) -> list[list[object]]:
    """All metrics of this process, as JSON can carry them; without the instants at which each began to count."""
    return [
        [one.name, one.type, one.documentation, [_sample(s) for s in one.samples if not s.name.endswith("_created")]]
        for one in registry.collect()
    ]


def _sample(one: PrometheusSample) -> list[object]:
    return [one.name, list(one.labels.items()), one.value]


def read_snapshot(raw: Any) -> list[Family]:
    """What another process sent."""
    return [
        Family(name, kind, text, [(one, tuple((k, v) for k, v in labels), value) for one, labels, value in samples])
        for name, kind, text, samples in raw
    ]


@dataclass(slots=True, eq=False)
class Gathering(Collector):
    """Adds up what each process measured last; of one that ended its counters stay."""

    _living: dict[str, Sequence[Family]] = field(default_factory=dict)
    _ended: list[Sequence[Family]] = field(default_factory=list)

    def put(self, process: str, families: Sequence[Family]) -> None:
        """What a process measures now."""
        self._living[process] = families

    def end(self, process: str) -> None:
        """A process ended: what it counted stays counted, what it held is gone."""
        families = self._living.pop(process, ())
        kept = [one for one in families if one.kind != _GAUGE]
        self._ended = [_families(_add([*self._ended, kept]))]

    def collect(self) -> Iterable[Metric]:
        """The sums; a gauge that is the same fact for all has the greatest value that any saw."""
        return _add([*self._ended, *self._living.values()]).values()

    def exposition(self) -> bytes:
        """Prometheus text format."""
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)


def _add(snapshots: Iterable[Sequence[Family]]) -> Mapping[str, Metric]:
    metrics: dict[str, Metric] = {}
    values: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
    for families in snapshots:
        for family in families:
            metrics.setdefault(family.name, Metric(family.name, family.text, family.kind))
            sums = values.setdefault(family.name, {})
            for name, labels, value in family.samples:
                known, join = sums.get((name, labels)), max if family.name in SAME_EVERYWHERE else add
                sums[name, labels] = value if known is None else join(known, value)
    for name, metric in metrics.items():
        for (sample, labels), value in values[name].items():
            metric.add_sample(sample, dict(labels), value)
    return metrics


def _families(metrics: Mapping[str, Metric]) -> list[Family]:
    return [
        Family(one.name, one.type, one.documentation, [(s.name, tuple(s.labels.items()), s.value) for s in one.samples])
        for one in metrics.values()
    ]
