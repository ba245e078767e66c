"""How services are told what becomes of their messages."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from gateway.settings.values import Duration, Section


class WebhooksSettings(Section):
    """How endpoints of services are called, and for how long one that takes nothing is tried."""

    timeout: Annotated[Duration, Field(gt=timedelta(0), le=timedelta(minutes=1))] = timedelta(seconds=15)
    retry_first: Duration = timedelta(seconds=5)
    retry_max: Duration = timedelta(hours=6)
    give_up_after: Duration = timedelta(days=3)
    disable_after: Duration = timedelta(days=3)
    in_flight: Annotated[int, Field(ge=1, le=1_000)] = 64
    """How many endpoints one process calls at once; of each at most 8, of one service's 16."""
