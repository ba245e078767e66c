"""Mail that comes back: the servers that it comes to, and the desk for a command that it is piped into."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from gateway.bootstrap.bells import open_bells
from gateway.bootstrap.stores import SystemClock, configured_store
from gateway.delivery.engagement.told import ToldByProviders
from gateway.delivery.tracking.bounces import BounceDesk
from gateway.delivery.tracking.receipts import Tracker
from gateway.errors import ConfigurationError
from gateway.logs import configure_logs
from gateway.metrics import Metrics
from gateway.ports import BounceIntake, ReceiptStore
from gateway.settings import Settings
from gateway.settings.providers import SmtpProviderSettings
from gateway.settings.values import host_and_port
from providers.bounce_listener import bounce_listener
from providers.smtp_bounces import read_bounce

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def make_bounce_desk(settings: Settings, store: ReceiptStore, tracker: Tracker) -> BounceDesk:
    """The desk for the return paths that the settings name."""
    domains: dict[str, set[str]] = {}
    for name, one in _relays(settings).items():
        if one.bounce_domain is not None:
            domains.setdefault(one.bounce_domain, set()).add(name)
    return BounceDesk(store=store, tracker=tracker, read=read_bounce, domains=domains)


async def open_bounce_listeners(
    settings: Settings, intake: BounceIntake, stack: AsyncExitStack, *, together: bool
) -> tuple[tuple[str, int], ...]:
    """Listen wherever a relay's `bounce_listen` says, closed with the stack; the addresses, with real ports.

    Several relays may name one address. Processes `together` share it. Raises ConfigurationError.
    """
    wanted = {one.bounce_listen: name for name, one in _relays(settings).items() if one.bounce_listen is not None}
    addresses = []
    for address, name in wanted.items():
        host, port = host_and_port(address)
        listener = bounce_listener(intake, host=host, port=port, shared=together and port != 0)
        try:
            await listener.start()
        except OSError as error:
            problem = f"cannot listen on {address}: {error.strerror or error}"
            raise ConfigurationError(f"providers.{name}.bounce_listen: {problem}") from error
        stack.push_async_callback(listener.aclose)
        addresses.append(listener.address)
        _log.info("bounces.listening", address="{}:{}".format(*listener.address))
    return tuple(addresses)


@asynccontextmanager
async def open_bounces(settings: Settings) -> AsyncIterator[BounceDesk]:
    """The desk over the configured store, for a command beside a gateway that runs, or instead of one that does not.

    Raises ConfigurationError where no relay has a `bounce_domain`.
    """
    if all(one.bounce_domain is None for one in _relays(settings).values()):
        raise ConfigurationError('providers: none of kind "smtp" has a bounce_domain: nothing is expected back')
    configure_logs(settings.log)
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(configured_store(settings, clock, (), patient=False))
        bells = await open_bells(settings, stack, work=False)
        readers = ToldByProviders(store.engagements)
        tracker = Tracker(store=store.receipts, readers=readers, wake=bells.accepted, clock=clock, metrics=Metrics())
        yield make_bounce_desk(settings, store.receipts, tracker)


def _relays(settings: Settings) -> Mapping[str, SmtpProviderSettings]:
    return {name: one for name, one in settings.providers.items() if isinstance(one, SmtpProviderSettings)}
