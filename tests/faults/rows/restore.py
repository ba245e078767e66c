"""F26: a backup taken at work, restored in the store's place: keys and suppressions are still known."""

from functools import partial
from typing import Final

from tests.faults.judge import Allowed, Verdict
from tests.faults.ledger import note, post_all
from tests.faults.rig import Row, Stage
from tests.faults.stores import statuses
from tests.waiting import eventually

_BEFORE: Final = 20


async def restore(stage: Stage, trials: int) -> Verdict:
    """What was promised before the backup is there after it; a repeated key gives the same id and sends nothing."""
    verdict = Verdict()
    for _ in range(trials):
        async with stage.scene() as scene:
            house, ledger = scene.house, scene.ledger
            bodies = {f"{number}": note(scene.chance, "email", "sms") for number in range(_BEFORE)}
            await post_all(ledger, bodies)
            stopped = {"channel": "email", "address": "zoe@example.org", "reason": "stop"}
            status, told = await house.post("/v1/suppressions", stopped)
            assert status in (200, 201), told
            await eventually(partial(statuses, house.view), lambda found: set(found) <= {"sent", "delivered"}, 30)
            backup = await house.view.back_up(house.folder / "backup")
            await ledger.post("after", note(scene.chance, "sms"))
            await house.kill()
            await house.view.restore(backup)
            # Promised after the backup: gone with the store, and known to whoever kept the key.
            ledger.promised.pop("after")
            await house.restart()
            await post_all(ledger, bodies)
            to_stopped = {**note(scene.chance, "email"), "to": {"email": "zoe@example.org"}}
            await post_all(ledger, {"to-stopped": to_stopped})
            found = await scene.judge(1, Allowed(statuses=("suppressed",)))
            found.require("zoe@example.org" not in {accept.to for accept in scene.stub.accepts()}, "the STOP is lost")
            verdict.add(found)
    return verdict


ROWS: Final = (Row(name="F26 restore from a backup", play=restore, short=0, long=5),)
