"""Whether the rules are still those that held deliveries were decided with."""

from datetime import datetime, timedelta
from functools import partial
from typing import Final

from gateway.domain.instants import to_micros
from gateway.domain.messages import Lane
from gateway.storage.engines.driver import Driver, Engine
from gateway.storage.engines.engine import Database

PORTION: Final = 500
_PACE: Final = timedelta(seconds=1)
"""Between two portions: deciding a large backlog anew should leave room for what comes in meanwhile."""
_KNOWN: Final = "SELECT fingerprint FROM rules_in_force"
_HELD: Final = (
    "SELECT id FROM deliveries WHERE lane = ? AND due_at > ? AND lease_owner IS NULL AND status = 'held'"
    " ORDER BY due_at, id LIMIT ?"
)
_LOOK_AGAIN: Final = {
    Engine.SQLITE: f"UPDATE deliveries SET due_at = ? WHERE id IN ({_HELD})",  # noqa: S608 - our own words
    Engine.POSTGRESQL: f"UPDATE deliveries SET due_at = ? WHERE id = ANY (ARRAY({_HELD}"  # noqa: S608 - our own words
    " FOR NO KEY UPDATE SKIP LOCKED))",
}


async def adopt_rules(database: Database, fingerprint: str, now: datetime) -> int:
    """Have everything that is held decided again if these are other rules than before; how many deliveries.

    The urgent ones and those that are due first come first, a portion each second. What a process did not come to
    before it was stopped the next start does; two that start together do the same and harm nothing.
    """
    if await database.lookups.run(lambda driver: _knows(driver, fingerprint)):
        return 0
    looked_at, at = 0, now
    for lane in Lane:
        moved = PORTION
        while moved == PORTION:
            moved = await database.writer.run(partial(_look_again, lane=lane, at=to_micros(at)))
            looked_at, at = looked_at + moved, at + _PACE if moved else at
    await database.writer.run(lambda driver: _keep(driver, fingerprint, to_micros(now)))
    return looked_at


async def _knows(driver: Driver, fingerprint: str) -> bool:
    return any(row[0] == fingerprint for row in await driver.fetch(_KNOWN))


async def _look_again(driver: Driver, lane: Lane, at: int) -> int:
    return await driver.execute(_LOOK_AGAIN[driver.engine], (at, int(lane), at, PORTION))


async def _keep(driver: Driver, fingerprint: str, now: int) -> None:
    await driver.lock(["rules in force"])
    await driver.execute("DELETE FROM rules_in_force")
    await driver.execute("INSERT INTO rules_in_force (fingerprint, since) VALUES (?, ?)", (fingerprint, now))
