"""One gateway that delivers, for all stories of a module; each is told by a service of its own."""

import itertools
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.http import ALL_SCOPES, Caller, Site, open_site

_numbers = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A gateway whose every channel ends in the mailbox."""
    async with open_site(tmp_path_factory.mktemp("site"), work=True) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def shop(site: Site) -> Caller:
    """A service with every scope."""
    return await site.caller(f"shop-{next(_numbers)}", ALL_SCOPES)
