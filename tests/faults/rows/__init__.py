"""The rows of the fault matrix, in its order; a later part adds its own here.

A row injects one fault so many times and says what must hold. It is written once for both modes, or names the one in
which its fault exists.
"""

from collections.abc import Sequence
from typing import Final

from tests.faults.rig import Row
from tests.faults.rows import (
    answers,
    brown_out,
    caps,
    clocks,
    consents,
    consequences,
    disk,
    frozen,
    hours,
    kills,
    load,
    poison,
    postgres,
    races,
    redis,
    restore,
    stops,
    store,
    webhooks,
)

ROWS: Final[Sequence[Row]] = (
    *kills.ROWS,
    *frozen.ROWS,
    *disk.ROWS,
    *postgres.ROWS,
    *store.ROWS,
    *redis.ROWS,
    *races.ROWS,
    *caps.ROWS,
    *answers.ROWS,
    *brown_out.ROWS,
    *clocks.ROWS,
    *hours.ROWS,
    *stops.ROWS,
    *poison.ROWS,
    *restore.ROWS,
    *consents.ROWS,
    *webhooks.ROWS,
    *consequences.ROWS,
    *load.ROWS,
)
