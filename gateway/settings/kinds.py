"""Kinds of providers that other distributions bring: found by entry points, loaded where settings name them."""

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from gateway.errors import ConfigurationError
from gateway.ports import ENTRY_POINTS, ProviderKind


def installed_kinds() -> Mapping[str, EntryPoint]:
    """The kinds that are installed beside ours, by their names in the settings; nothing of them is imported."""
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


def load_kind(name: str) -> ProviderKind[Any]:
    """Import an installed kind. Raises ConfigurationError where it cannot be used, with the distribution's name."""
    point = installed_kinds()[name]
    brought_by = f"the kind {name!r} that {point.dist.name if point.dist else 'a distribution'} brings ({point.value})"
    try:
        kind = point.load()
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"{brought_by} cannot be imported: {error}") from error
    if not isinstance(kind, ProviderKind):
        raise ConfigurationError(f"{brought_by} is no ProviderKind")
    return kind
