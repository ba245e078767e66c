"""A timeline that is read while it is written: page after page shows every event once."""

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.ids import MessageId
from gateway.storage.engines.driver import Driver, PostgresDriver
from gateway.storage.engines.engine import open_database
from gateway.storage.engines.postgresql import connect
from gateway.storage.events import write_events
from gateway.storage.reading.log import MessageLog
from gateway.storage.reading.timelines import Place, read_place
from gateway.storage.rows import event_row
from gateway.storage.store import open_store
from tests.contract.store_builders import new_event, new_message
from tests.fakes import SetClock

SECOND = 1_000_000


async def write(driver: Driver, number: int) -> None:
    event = new_event(new_message().message, f"delivery.{number}")
    await write_events(driver, [event_row(event)])


async def test_an_event_whose_transaction_ends_late_is_on_a_later_page(postgres_url: str) -> None:
    async with open_store(postgres_url, SetClock()) as store:
        await store.accepting.accept(new_message())
        slow = await connect(postgres_url)
        await slow.execute("BEGIN")
        await write(PostgresDriver(slow), 1)
        database = open_database(postgres_url)
        for number in (2, 3, 4):
            await database.writer.run(partial(write, number=number))
        log, message_id = MessageLog(database), MessageId("msg_000001")

        first = await log.events(message_id, None, 3, None)
        await slow.execute("COMMIT")
        second = await log.events(message_id, None, 3, first.next_cursor)
        await slow.close()
        await database.aclose()

    assert [event.type for event in first.items] == ["message.accepted", "delivery.2", "delivery.3"]
    assert [event.type for event in second.items] == ["delivery.1", "delivery.4"]
    assert second.next_cursor is None


numbered = st.tuples(st.integers(0, 2**60), st.integers(0, 200))


@given(found=st.lists(numbered, min_size=1, max_size=200, unique_by=lambda pair: pair[0]))
def test_a_place_is_past_its_rows_survives_as_text_and_stays_short(found: list[tuple[int, int]]) -> None:
    rows = [(number, "", "", None, "", second * SECOND, "{}") for number, second in sorted(found)]

    place = Place().past(rows)

    assert read_place(place.cursor()) == place
    assert len(place.cursor()) <= 512 or max(place.shown) - place.after > 2**40
    assert all(row[0] <= place.after or row[0] in place.shown for row in rows)
