"""The composition root: the only package that names concrete stores, wakers, clocks and providers.

`opening` puts the gateway together; `stores`, `content` and `connections` open its parts.
"""

from gateway.bootstrap.opening import Gateway, open_gateway
from gateway.bootstrap.stores import SystemClock, open_services, read_revisions, upgrade_store

__all__ = ["Gateway", "SystemClock", "open_gateway", "open_services", "read_revisions", "upgrade_store"]
