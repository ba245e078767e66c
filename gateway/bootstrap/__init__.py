"""The composition root: the only package that names concrete stores, wakers, clocks and providers.

`opening` puts the gateway together, `gateway` is what then runs. `parts` opens what its use cases share, by `stores`,
`content`, `rules` and `connections`; `messages`, `people`, `tracking`, `notifying` and `working` make the use cases.
`databases` looks after the tables of a store.
"""

from gateway.bootstrap.bounces import open_bounces
from gateway.bootstrap.databases import copy_store, read_revisions, upgrade_store
from gateway.bootstrap.gateway import Gateway
from gateway.bootstrap.opening import open_gateway
from gateway.bootstrap.replaying import open_replay
from gateway.bootstrap.rules import standing_of
from gateway.bootstrap.stores import Meanwhile, Records, SystemClock, open_records, open_services
from gateway.bootstrap.texts import SignedText, sign_text

__all__ = [
    "Gateway",
    "Meanwhile",
    "Records",
    "SignedText",
    "SystemClock",
    "copy_store",
    "open_bounces",
    "open_gateway",
    "open_records",
    "open_replay",
    "open_services",
    "read_revisions",
    "sign_text",
    "standing_of",
    "upgrade_store",
]
