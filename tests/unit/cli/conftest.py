"""A settings file for commands that read one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.configuration import CONFIG_VARIABLE


@pytest.fixture
def write_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Writes a file and has the commands of this test read it."""

    def write(text: str) -> Path:
        file = tmp_path / "heliograph.toml"
        file.write_text(text, encoding="utf-8")
        monkeypatch.setenv(CONFIG_VARIABLE, str(file))
        return file

    return write
