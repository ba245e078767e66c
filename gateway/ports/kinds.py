"""The seam to a kind of provider from elsewhere: what its settings look like, and how an account is opened."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from gateway.domain.durations import parse_duration
from gateway.domain.messages import Outcome
from gateway.domain.rates import parse_rate_over
from gateway.ports.providers import Capabilities, Provider
from gateway.ports.time import Clock

ENTRY_POINTS: Final = "heliograph.providers"
"""The group under which a distribution names its kinds: `pigeon = "my_package:PIGEON"`."""


def _to_duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _a_rate(text: str) -> str:
    parse_rate_over(text)
    return text


def _never_taken(codes: Mapping[str, Outcome]) -> Mapping[str, Outcome]:
    if {Outcome.SENT, Outcome.DELIVERED} & set(codes.values()):
        raise ValueError("a code says why a message was refused; it cannot mean that it was sent")
    return codes


Duration = Annotated[timedelta, BeforeValidator(_to_duration)]
"""A length of time, written as `30s`, `5m` or `2d`."""
Codes = Annotated[Mapping[str, Outcome], AfterValidator(_never_taken)]
"""What an operator says that a provider's own codes mean."""
Pace = Annotated[str, AfterValidator(_a_rate)]
"""So many in so long, as `10/s`, `600/m`, `1000/h` or `50000/d`."""


class LimitedSection(BaseModel):
    """What all accounts may be held to, over all processes."""

    rate: Pace | None = None
    """How many calls may begin in so long; of text messages, how many segments."""
    concurrency: Annotated[int, Field(ge=1)] | None = None
    """How many calls may be under way at once."""


class SendingSection(LimitedSection):
    """What those accounts have in common whose messages say who sends them."""

    sender: str | None = Field(default=None, alias="from")
    """Used when neither message nor service names a sender."""


class ProviderSection(SendingSection):
    """What the settings say of one account; a kind's own model adds its keys, and secrets as `SecretStr`.

    It never changes after the start, and a key that it does not name is refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    kind: str
    timeout: Duration = timedelta(seconds=30)
    """How long one call may take in all."""


class HttpProviderSection(ProviderSection):
    """The same for a provider that is called by HTTP."""

    connections: Annotated[int, Field(ge=1, le=200)] = 16
    ca_file: Path | None = None
    codes: Codes = Field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What an account may be opened with, beside its settings."""

    clock: Clock
    webhook_url: str
    """Where the provider is to call us, without a trailing slash."""
    allow_private_endpoints: tuple[str, ...] = ()
    """Addresses that may be called although a caller supplied them and they are not public."""


SectionT = TypeVar("SectionT", bound=ProviderSection)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderKind(Generic[SectionT]):
    """What an entry point names: everything that the gateway needs to know of a kind."""

    section: type[SectionT]
    """Checks the settings of each account before anything is opened."""
    capabilities: Capabilities
    """What any account of this kind can do."""
    open: Callable[[str, SectionT, Opening], Provider]
    """Make the account of that name. Raises ConfigurationError for what only opening can show, such as a wrong key."""
