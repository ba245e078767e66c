"""One gateway for each module, since opening one costs a second; each test calls as a service of its own."""

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.http import ALL_SCOPES, Caller, Site, open_site
from tests.modes import Mode, in_both_modes

_numbers = itertools.count(1)
pytest_generate_tests = in_both_modes


@pytest.fixture
def tmp_path(tmp_path: Path, mode: Mode) -> Iterator[Path]:
    """A folder of the test's own, in which whatever it opens finds its mode."""
    with mode.furnished(tmp_path) as folder:
        yield folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(mode: Mode, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A gateway that accepts and does not dispatch."""
    with mode.furnished(tmp_path_factory.mktemp("site")) as folder:
        async with open_site(folder) as opened:
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
