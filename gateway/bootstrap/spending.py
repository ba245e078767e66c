"""What the settings say of spending, as delivery takes it."""

from collections.abc import Sequence
from hashlib import sha256

from gateway.bootstrap.connections import mailbox_name
from gateway.delivery.dispatching.spending import NO_SPENDING, SpendingTerms
from gateway.domain.spending import ComplaintLimit, SpendingLimit
from gateway.errors import ConfigurationError
from gateway.settings import Settings
from gateway.settings.spending import EVERYWHERE, ComplaintSettings, SpendingSettings


def make_spending(settings: Settings) -> SpendingTerms:
    """The limits, prices and countries of the settings. Raises ConfigurationError where nobody has such a price."""
    spending = settings.spending
    if spending == SpendingSettings():
        return NO_SPENDING
    known = {
        mailbox_name(settings),
        *settings.providers,
        *(name for route in settings.routes for name in route.names),
    }
    if unknown := sorted(set(spending.prices) - known):
        raise ConfigurationError(f"spending.prices.{unknown[0]}: there is no provider {unknown[0]!r}")
    return SpendingTerms(
        limits=tuple(
            SpendingLimit(
                name=one.name,
                services=one.services,
                channels=one.channels,
                categories=one.categories,
                by=one.by,
                messages=one.messages,
                cost=one.cost,
                per=one.per,
                over=one.over,
            )
            for one in spending.limits
        ),
        currency=spending.currency,
        countries=_countries(spending.countries),
        countries_of={name: _countries(one.countries) for name, one in spending.services.items()},
        prices=spending.prices,
        complaints=_complaints(spending.complaints),
        digest=sha256(spending.model_dump_json().encode()).hexdigest(),
    )


def _countries(given: str | Sequence[str]) -> frozenset[str] | None:
    return None if given == EVERYWHERE else frozenset(given)


def _complaints(one: ComplaintSettings) -> ComplaintLimit | None:
    if one.stop_at is None:
        return None
    return ComplaintLimit(stop_at=one.stop_at, at_least=one.at_least, per=one.per)
