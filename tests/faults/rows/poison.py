"""F21: a row that this version cannot read. It waits for one that can, and its neighbours do not wait for it."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from tests.faults.judge import Verdict
from tests.faults.ledger import note, post_all
from tests.faults.rig import Row, Stage
from tests.faults.stores import statuses
from tests.waiting import eventually

_DUE_SECONDS: Final = 2.0
_NEIGHBOURS: Final = 20


async def leave_unreadable(stage: Stage, trials: int) -> Verdict:
    """A word of a later version stands in a message that is due; once it is a known one again, the message goes."""
    async with stage.scene() as scene:
        house = scene.house
        for trial in range(trials):
            due = datetime.now(UTC) + timedelta(seconds=_DUE_SECONDS)
            body = {**note(scene.chance, "email"), "send_at": due.isoformat().replace("+00:00", "Z")}
            await post_all(scene.ledger, {f"poison-{trial}": body})
            poisoned = scene.ledger.promised[f"poison-{trial}"]
            await house.view.change(f"UPDATE messages SET category = 'unheard-of' WHERE id = '{poisoned}'")
            await asyncio.sleep(_DUE_SECONDS)
            before = (await statuses(house.view)).get("sent", 0)
            await post_all(scene.ledger, {f"{trial}-{one}": note(scene.chance, "email") for one in range(_NEIGHBOURS)})
            wanted = before + _NEIGHBOURS
            await eventually(partial(statuses, house.view), partial(_has_sent, wanted), 60)
            await house.view.change(f"UPDATE messages SET category = 'transactional' WHERE id = '{poisoned}'")
        return await scene.judge(trials, seconds=90)


def _has_sent(wanted: int, found: Mapping[str, int]) -> bool:
    return found.get("sent", 0) >= wanted


ROWS: Final = (Row(name="F21 unreadable row", play=leave_unreadable, short=0, long=5),)
