"""Facts with everything that the settings have policy look at, for a claim under way and for callers who ask anew."""

from collections.abc import Collection, Mapping, Sequence
from types import TracebackType
from typing import Final, Self

from gateway.domain.ids import DeliveryId
from gateway.domain.pseudonyms import Pseudonyms
from gateway.domain.recipients import Recipient
from gateway.errors import InvalidRequest
from gateway.ports import Claim, StoredFacts
from gateway.storage.documents import UNREADABLE
from gateway.storage.engines.batcher import Batcher
from gateway.storage.engines.driver import Driver
from gateway.storage.engines.engine import Database
from gateway.storage.queue.facts import Capped, read_facts
from gateway.storage.queue.spending import Spenders, read_spent

_Asked = tuple[Sequence[Claim], bool]
"""Claims, and whether their slots are wanted whatever caps are in force."""
_NOT_TO_BE_READ: Final = (*UNREADABLE, InvalidRequest)
"""What the row of one may raise, or what it has to be looked up by; the others of its batch are answered without it."""


class FactsReader:
    """Reads the facts of claims; who asks at the same time shares the queries. To be entered before it is asked."""

    def __init__(
        self, database: Database, pseudonyms: Pseudonyms, is_capped: Capped, spenders: Spenders | None = None
    ) -> None:
        self._database = database
        self._pseudonyms = pseudonyms
        self._is_capped = is_capped
        self._spenders = spenders
        self._names: dict[str, str] = {}
        self._asked: Batcher[_Asked, Mapping[DeliveryId, StoredFacts]] = Batcher(self._answer, poison=_NOT_TO_BE_READ)

    async def __aenter__(self) -> Self:
        self._asked.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._asked.__aexit__(kind, error, trace)

    async def ask(self, claims: Sequence[Claim], *, slots: bool) -> Mapping[DeliveryId, StoredFacts]:
        """As they stand now; with `slots` those that were taken too, where no cap may apply as well."""
        return await self._asked.submit((claims, slots))

    async def read(
        self, driver: Driver, claims: Sequence[Claim], counted: Collection[DeliveryId] = ()
    ) -> Mapping[DeliveryId, StoredFacts]:
        """As `driver` sees them, with the slots of those that are `counted` and of those that a cap may speak of."""

        def wants_slots(claim: Claim, recipient: Recipient | None) -> bool:
            return claim.delivery.id in counted or self._is_capped(claim, recipient)

        found = await read_facts(driver, claims, self._pseudonyms, wants_slots)
        return found if self._spenders is None else await read_spent(driver, claims, found, self._spenders, self._names)

    async def _answer(self, asked: Sequence[_Asked]) -> Sequence[Mapping[DeliveryId, StoredFacts]]:
        claims = [claim for group, _ in asked for claim in group]
        counted = {claim.delivery.id for group, slots in asked if slots for claim in group}
        found = await self._database.lookups.run(lambda driver: self.read(driver, claims, counted))
        return [{claim.delivery.id: found[claim.delivery.id] for claim in group} for group, _ in asked]
