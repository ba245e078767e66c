"""What several processes do to one store at once: as two stores that are open on the same place."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from typing import Final

from gateway.domain.ids import SuppressionId, WorkerId
from gateway.domain.lifecycle import DeliveryStatus, Strategy
from gateway.domain.recipients import Channel
from gateway.domain.values import replace
from gateway.ports import Claim, MessageQuery, NewMessage, Replayed, Stored
from gateway.storage.store import Store
from tests.contract.store_builders import Place, new_delivery, new_message, reservation_for, step_for
from tests.factories import NOW, make_suppression
from tests.fakes import SetClock

MESSAGES: Final = 120
BOUNCING: Final = 5
"""So many addresses are condemned again and again, by both."""


def on_two_channels(number: int, wish: int) -> NewMessage:
    new = new_message(number, strategy=Strategy.ALL, channels=(Channel.EMAIL, Channel.SMS), key=f"key-{wish}")
    return replace(
        new, deliveries=(*new.deliveries, new_delivery(number, new.message, suffix="b", channel=Channel.SMS))
    )


async def fail(store: Store, claim: Claim) -> bool:
    """Hand it over, and be told that its address is dead."""
    number = int(claim.message.id.removeprefix("msg_"))
    address = f"p{number % BOUNCING}@example.org"
    condemned = make_suppression(id=SuppressionId(f"sup_{claim.delivery.id}"), address=address)
    reserved = await store.dispatch.reserve(reservation_for(claim))
    step = step_for(claim, DeliveryStatus.FAILED, suppressions=(condemned,), drop_secrets=True)
    return reserved and await store.dispatch.record(step)


async def work(store: Store, worker: WorkerId) -> Counter[str]:
    """Fail everything that can be claimed; how often each delivery was."""
    done: Counter[str] = Counter()
    while claims := await store.dispatch.claim(worker, 20, NOW):
        written = await asyncio.gather(*(fail(store, claim) for claim in claims))
        done.update(claim.delivery.id for claim, ok in zip(claims, written, strict=True) if ok)
    return done


async def test_two_processes_accept_and_end_the_same_messages_once_each(place: Place, clock: SetClock) -> None:
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(place.open(clock)) for _ in range(2)]
        workers = [WorkerId(f"wrk_{number}") for number in range(2)]
        for store, worker in zip(stores, workers, strict=True):
            await store.leases.join(worker)

        outcomes = await asyncio.gather(
            *(
                store.accepting.accept(on_two_channels(wish + MESSAGES * place, wish))
                for wish in range(MESSAGES)
                for place, store in enumerate(stores)
            )
        )
        done = await asyncio.gather(
            *(work(store, worker) for store, worker in zip(stores, workers, strict=True) for _ in range(2))
        )
        found = (await stores[0].log.search(MessageQuery(limit=1000))).items
        condemned = (await stores[0].suppressions.list_suppressions(None, None, 100, None)).items

    assert Counter(type(outcome) for outcome in outcomes) == {Stored: MESSAGES, Replayed: MESSAGES}
    total = sum(done, Counter())
    assert len(total) == 2 * MESSAGES
    assert set(total.values()) == {1}
    assert {record.status for record in found} == {DeliveryStatus.FAILED}
    assert len(found) == MESSAGES
    assert len(condemned) == BOUNCING
