"""What holds for every test run."""

import functools
import gc
import os

import pytest
from hypothesis import settings

settings.register_profile("developer", deadline=None)
# The same examples for the same commit: a red build can be repeated, and new examples are sought on people's machines.
settings.register_profile("build", deadline=None, derandomize=True)
settings.load_profile("build" if os.environ.get("CI") else "developer")


@pytest.fixture(autouse=True, scope="session")
def _cold_caches_under_mutation() -> None:
    """Forget what our memoised functions know: mutation testing forks from a process in which they ran unmutated."""
    if "MUTANT_UNDER_TEST" in os.environ:
        for thing in gc.get_objects():
            if isinstance(thing, functools._lru_cache_wrapper) and str(thing.__module__).startswith("gateway"):
                thing.cache_clear()
