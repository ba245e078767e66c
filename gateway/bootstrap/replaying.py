"""What a replay is made of: the store as it is, the terms in force, and those of a file."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from pydantic import ValidationError

from gateway.bootstrap.rules import make_terms
from gateway.bootstrap.stores import SystemClock, configured_store
from gateway.delivery.dispatching.spending import NO_SPENDING
from gateway.delivery.what_if.replay import Replay
from gateway.domain.rule_tables import WrongRules
from gateway.domain.values import replace
from gateway.errors import ConfigurationError
from gateway.logs import configure_logs
from gateway.settings import Settings

_KEYS: Final = frozenset({"quiet_hours", "frequency_caps", "policy"})


@asynccontextmanager
async def open_replay(settings: Settings, other: Mapping[str, object], name: str) -> AsyncIterator[Replay]:
    """A replay of the configured store under the rules of a file, which is only called by its name.

    Raises ConfigurationError where the file cannot be meant.
    """
    configure_logs(settings.log)
    # What was spent when is not kept for as long as traffic is.
    terms, others = (
        replace(make_terms(one), spending=NO_SPENDING) for one in (settings, _under(settings, other, name))
    )
    async with configured_store(settings, SystemClock(), (), patient=False) as store:
        yield Replay(traffic=store.traffic, store=store.dispatch, terms=terms, others=others)


def _under(settings: Settings, other: Mapping[str, object], name: str) -> Settings:
    """The settings with the rules of the file in place of their own, and what it says of policy on top."""
    if unknown := sorted(set(other) - _KEYS):
        raise ConfigurationError(f"{name}: rules are {', '.join(sorted(_KEYS))}; there is no {', '.join(unknown)}")
    said = other.get("policy", {})
    if not isinstance(said, Mapping):
        raise ConfigurationError(f"{name}: policy must be a table")
    policy = {**settings.policy.model_dump(), **said}
    try:
        changed = Settings.model_validate({**other, "policy": policy})
        changed.rules()
    except (ValidationError, WrongRules) as error:
        raise ConfigurationError(f"{name}: {error}") from error
    return changed
