"""F3: a worker that stands still for longer than its lease, and then goes on as if nothing had happened."""

from functools import partial
from pathlib import Path
from typing import Final

from tests.faults.judge import Allowed, Verdict
from tests.faults.ledger import note
from tests.faults.rig import Row, Stage
from tests.faults.stores import statuses
from tests.faults.stub import Point
from tests.waiting import eventually

_CONNECTIONS: Final = 2
_CLAIMED: Final = 6
_LEASE_SECONDS: Final = 60.0
"""A lease of 30 s, and the sweeps in which others see it run out."""


async def freeze(stage: Stage, trials: int) -> Verdict:
    """Two calls of the frozen worker are answered while it sleeps, its other claims go to the second worker."""
    verdict = Verdict()
    for number in range(trials):
        async with stage.scene(workers=2, connections=_CONNECTIONS, started=False) as scene:
            house = scene.house
            first, second = house.workers
            await house.start(*[member for member in house.members if member is not second])
            await scene.stub.hold(Point.ACCEPTED)
            for one in range(_CLAIMED):
                await scene.ledger.post(f"{number}-{one}", note(scene.chance, "email"), at=house.webs[0])
            await scene.stub.holding(_CONNECTIONS)
            first.freeze()
            await scene.stub.let_go()
            await house.start(second)
            await eventually(partial(statuses, house.view), _is_settled, _LEASE_SECONDS)
            first.thaw()
            fenced = await eventually(partial(_fenced, first.log), bool, 30)
            found = await scene.judge(1, Allowed(unknown=_CONNECTIONS))
            found.figures["fenced_writes"] = fenced
            verdict.add(found)
    return verdict


def _is_settled(found: dict[str, int]) -> bool:
    return set(found) <= {"sent", "unknown"}


async def _fenced(log: Path) -> int:
    return log.read_text().count("delivery.claim_lost")


ROWS: Final = (Row(name="F3 freeze for longer than a lease", play=freeze, short=0, long=5),)
