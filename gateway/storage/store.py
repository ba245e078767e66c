"""The whole store, assembled: `open_store` is what the composition root calls."""

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gateway.domain.pseudonyms import Pseudonyms
from gateway.ports import Clock
from gateway.storage.engines.commit import GroupCommit
from gateway.storage.engines.engine import Database, open_database
from gateway.storage.notifying.endpoints import Endpoints
from gateway.storage.notifying.notices import Notices
from gateway.storage.people.belongings import Belongings
from gateway.storage.people.consents import Consents
from gateway.storage.people.erasure import Erasures
from gateway.storage.people.inbound import Inbounds
from gateway.storage.people.ledger import Ledger
from gateway.storage.people.readers import Readers
from gateway.storage.people.recipients import Recipients, make_people_batcher
from gateway.storage.people.suppressions import Suppressions, name_addresses
from gateway.storage.queue.accept import Accepting
from gateway.storage.queue.dispatch import Dispatch
from gateway.storage.queue.facts import Capped
from gateway.storage.queue.leases import Leases
from gateway.storage.queue.spending import Spenders
from gateway.storage.queue.steering import Steering
from gateway.storage.queue.stored_facts import FactsReader
from gateway.storage.reading.log import MessageLog
from gateway.storage.reading.mailbox import Mailbox
from gateway.storage.reading.spending import SpendingCounters
from gateway.storage.reading.traffic import Traffic
from gateway.storage.reading.watching import Watching
from gateway.storage.tracking.calls import Calls
from gateway.storage.tracking.engagements import Engagements
from gateway.storage.tracking.receipts import Receipts
from gateway.storage.upkeep.audit import Audit
from gateway.storage.upkeep.condition import Condition
from gateway.storage.upkeep.readiness import WhenBehind, make_ready
from gateway.storage.upkeep.retention import Forgetting
from gateway.storage.upkeep.secret import kept_pseudonyms
from gateway.storage.upkeep.services import Services

UNKNOWN_AFTER: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """One open store; each part fulfils one protocol of `gateway.ports`."""

    database: Database
    pseudonyms: Pseudonyms
    """What this store calls people and addresses whom it must not name."""
    accepting: Accepting
    dispatch: Dispatch
    leases: Leases
    log: MessageLog
    steering: Steering
    recipients: Recipients
    consents: Consents
    ledger: Ledger
    suppressions: Suppressions
    audit: Audit
    services: Services
    inbound: Inbounds
    receipts: Receipts
    engagements: Engagements
    calls: Calls
    mailbox: Mailbox
    condition: Condition
    forgetting: Forgetting
    readers: Readers
    erasures: Erasures
    belongings: Belongings
    watching: Watching
    traffic: Traffic
    spending: SpendingCounters
    endpoints: Endpoints
    notices: Notices


@asynccontextmanager
async def open_store(
    url: str,
    clock: Clock,
    *,
    idempotent_providers: Collection[str] = (),
    unknown_after: timedelta = UNKNOWN_AFTER,
    observe_commit: Callable[[float], None] = lambda _: None,
    is_capped: Capped = lambda _claim, _recipient: False,
    spenders: Spenders | None = None,
    when_behind: WhenBehind = WhenBehind.UPGRADE,
) -> AsyncIterator[Store]:
    """Open the store at a `sqlite:///…` or `postgresql://…` URL, and close it at the end.

    `observe_commit` is told how many seconds each shared transaction took; `is_capped` says whether a delivery needs
    the slots that were taken under caps to be read, and `spenders` what was spent; None where no limit is set.
    Tables that this code cannot work with yet are brought up to date, or waited for. Raises ConfigurationError for
    another URL, for a store that newer code has left this one behind, and for one whose secret is missing.
    """
    database = open_database(url)
    try:
        await make_ready(database, clock.now(), when_behind)
        pseudonyms = await kept_pseudonyms(database)
        await name_addresses(database, pseudonyms)
        async with (
            GroupCommit(database, clock, observe_commit) as commit,
            FactsReader(database, pseudonyms, is_capped, spenders) as facts,
            make_people_batcher(database) as people,
        ):
            yield Store(
                database=database,
                pseudonyms=pseudonyms,
                accepting=Accepting(database, commit, clock),
                dispatch=Dispatch(database, commit, facts, pseudonyms, clock),
                leases=Leases(
                    database,
                    clock,
                    idempotent_providers=idempotent_providers,
                    unknown_after=unknown_after,
                ),
                log=MessageLog(database),
                steering=Steering(database),
                recipients=Recipients(database, people, pseudonyms.of_person),
                consents=Consents(database, commit, pseudonyms.of_person),
                ledger=Ledger(database),
                suppressions=Suppressions(database, pseudonyms),
                audit=Audit(database),
                services=Services(database),
                inbound=Inbounds(database, pseudonyms),
                receipts=Receipts(database, commit, pseudonyms, None if spenders is None else spenders.complaints),
                engagements=Engagements(database, commit),
                calls=Calls(database),
                mailbox=Mailbox(database, commit),
                condition=Condition(database),
                forgetting=Forgetting(database),
                readers=Readers(database, pseudonyms),
                erasures=Erasures(database, pseudonyms),
                belongings=Belongings(database, pseudonyms),
                watching=Watching(database),
                traffic=Traffic(database),
                spending=SpendingCounters(database),
                endpoints=Endpoints(database),
                notices=Notices(database, commit),
            )
    finally:
        await database.signs.aclose()
        await database.aclose()
