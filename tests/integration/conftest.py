"""One gateway for each module, since opening one costs a second; each test calls as a service of its own."""

import itertools
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.http import ALL_SCOPES, Caller, Site, open_site

_numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A gateway that accepts and does not dispatch."""
    async with open_site(tmp_path_factory.mktemp("site")) as opened:
        yield opened


@pytest.fixture
def service() -> str:
    """A name that no other test uses."""
    return f"service-{next(_numbers)}"


@pytest_asyncio.fixture(loop_scope="module")
async def shop(site: Site, service: str) -> Caller:
    """A service with the scopes that a key has by default."""
    return await site.caller(service)


@pytest_asyncio.fixture(loop_scope="module")
async def ops(site: Site, service: str) -> Caller:
    """The same service's key with every scope."""
    return await site.caller(service, ALL_SCOPES)
