"""The return path of an e-mail, which names its delivery: what comes back to it is a word on that one (VERP).

Whoever knows the address may say that the e-mail bounced, and no signature stands in it. So the id of a delivery is
made of randomness that nobody can foretell (`ids.make_delivery_id`): it is known to those who handled the e-mail.
"""

import re
from typing import Final

from gateway.domain.ids import DELIVERY, DeliveryId

_BOUNCE: Final = "bounce+"
_NAMED: Final = re.compile(rf"bounce\+({DELIVERY}_[0-9a-z]{{26}})@([0-9a-z.\-]+)")


def return_path(delivery_id: DeliveryId, domain: str) -> str:
    """The address at `domain` that bounces of a delivery come to."""
    return f"{_BOUNCE}{delivery_id}@{domain}"


def named_delivery(address: str) -> tuple[DeliveryId, str] | None:
    """The delivery and the domain in lower case that a return path names; None for any other address.

    Letters may have changed their case on the way: ids have small ones only.
    """
    found = _NAMED.fullmatch(address.lower())
    return None if found is None else (DeliveryId(found[1]), found[2])
