"""The workbench that every rendering test begins with."""

from pathlib import Path

import pytest

from tests.unit.rendering.workbench import Workbench


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    """An empty workbench."""
    return Workbench(tmp_path)
