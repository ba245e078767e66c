"""What holds for every test run."""

import asyncio
import contextlib
import functools
import gc
import itertools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from gateway.bootstrap import SystemClock, upgrade_store
from gateway.settings import Settings
from tests.modes import EMBEDDED, SCALED, Mode
from tests.servers import PostgresDatabases, start_postgres, start_valkey

pytest_plugins = ["providers.conformance.plugin"]

settings.register_profile("developer", deadline=None)
# The same examples for the same commit: a red build can be repeated, and new examples are sought on people's machines.
settings.register_profile("build", deadline=None, derandomize=True)
settings.load_profile("build" if os.environ.get("CI") else "developer")


def pytest_runtest_teardown() -> None:
    """A command that ran in this process has said where logs go: to a stream that is closed by now."""
    structlog.reset_defaults()


@pytest.fixture(autouse=True, scope="session")
def _cold_caches_under_mutation() -> None:
    """Forget what our memoised functions know: mutation testing forks from a process in which they ran unmutated."""
    if "MUTANT_UNDER_TEST" in os.environ:
        for thing in gc.get_objects():
            if isinstance(thing, functools._lru_cache_wrapper) and str(thing.__module__).startswith("gateway"):
                thing.cache_clear()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresDatabases]:
    """Fresh databases of a PostgreSQL of this run's own, or of the one that HELIOGRAPH_TEST_PG_URL names."""
    if url := os.environ.get("HELIOGRAPH_TEST_PG_URL"):
        yield PostgresDatabases(url)
        return
    with start_postgres() as server:
        yield server


@pytest.fixture
def empty_postgres_url(postgres: PostgresDatabases) -> Iterator[str]:
    """The address of a database of this test's own, without tables."""
    with _database(postgres, None) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresDatabases) -> str:
    """A database with the newest tables, to be copied."""
    return postgres.prepare(_upgrade)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the newest tables, to be copied."""
    file = tmp_path_factory.mktemp("template") / "store.db"
    _upgrade(f"sqlite:///{file}")
    assert [entry.name for entry in file.parent.iterdir() if entry.name.startswith("store.db-wal")] == []
    return file


@pytest.fixture
def postgres_url(postgres: PostgresDatabases, postgres_template: str) -> Iterator[str]:
    """The address of a store of this test's own, with tables and without rows."""
    with _database(postgres, postgres_template) as url:
        yield url


@contextlib.contextmanager
def _database(postgres: PostgresDatabases, template: str | None) -> Iterator[str]:
    url = postgres.create_database(template)
    yield url
    postgres.drop_database(url)


def _upgrade(url: str) -> None:
    settings = Settings.model_validate({"store": {"url": url}})
    with ThreadPoolExecutor(1) as thread:
        # In a thread of its own, since a test's event loop may be running already.
        thread.submit(asyncio.run, upgrade_store(settings, SystemClock())).result()


@pytest.fixture(scope="session")
def redis_urls(worker_id: str) -> Iterator[Callable[[], str]]:
    """Makes addresses of empty databases in a Valkey of this run's own.

    With HELIOGRAPH_TEST_REDIS_URL each worker of the run gets one database of that server, counted from the one named.
    """
    if url := os.environ.get("HELIOGRAPH_TEST_REDIS_URL"):
        server, _, first = url.rpartition("/")
        number = int(first or 0) + int(worker_id.removeprefix("gw") if worker_id != "master" else 0)
        yield lambda: f"{server}/{number}"
        return
    with start_valkey() as valkey:
        numbers = itertools.count()
        yield lambda: valkey.url(next(numbers))


@pytest.fixture
def redis_url(redis_urls: Callable[[], str]) -> str:
    """The address of an empty Redis database that no other test of this run uses."""
    return redis_urls()


@pytest.fixture(scope="module")
def mode(request: pytest.FixtureRequest) -> Mode:
    """The mode of this module's tests; its servers start when they are first needed."""
    if request.param == EMBEDDED:
        return Mode(EMBEDDED, lambda: contextlib.nullcontext(""), str, request.getfixturevalue("sqlite_template"))
    template = request.getfixturevalue("postgres_template")
    databases, queues = request.getfixturevalue("postgres"), request.getfixturevalue("redis_urls")
    return Mode(SCALED, lambda: _database(databases, template), queues, None)
