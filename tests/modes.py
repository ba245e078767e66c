"""The two modes that behaviour is tested in, laid down in a test's own folder for whatever opens a gateway there.

A module's tests run in both modes; one that says `MODES = ("embedded",)` is about something that both share.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

EMBEDDED: Final = "embedded"
SCALED: Final = "scaled"
_FILE: Final = "mode.json"
_STORE: Final = "heliograph.db"
_TO_MAILBOX: Final = [{"channel": channel, "providers": ["mailbox"]} for channel in ("email", "sms", "push")]


@dataclass(frozen=True, slots=True)
class Mode:
    """How the gateways of a test find their store and each other."""

    name: str
    make_store: Callable[[], AbstractContextManager[str]]
    """A fresh PostgreSQL database, dropped at the end."""
    make_queue: Callable[[], str]
    """An empty Redis database."""
    blank: Path | None
    """A file with tables and without rows, where stores are files."""

    @contextmanager
    def furnished(self, folder: Path) -> Iterator[Path]:
        """The folder, with a store of its own to it for as long as the block lasts."""
        if self.blank is not None:
            shutil.copyfile(self.blank, folder / _STORE)
            yield folder
            return
        with self.make_store() as url:
            sections = {"store": {"url": url}, "queue": {"url": self.make_queue()}, "routes": _TO_MAILBOX}
            (folder / _FILE).write_text(json.dumps(sections), encoding="utf-8")
            yield folder


def sections_of(folder: Path) -> Mapping[str, Any]:
    """The settings that say where the store and the queue of a folder are; a plain folder is embedded.

    In scaled mode everything is routed to the mailbox, as it is in embedded mode without a route.
    """
    file = folder / _FILE
    if file.exists():
        sections: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return sections
    return {"store": {"url": f"sqlite:///{folder / _STORE}"}}


def in_both_modes(metafunc: pytest.Metafunc) -> None:
    """Run each test that needs a store once in each mode that its module is about."""
    if "mode" in metafunc.fixturenames:
        modes = getattr(metafunc.module, "MODES", (EMBEDDED,))
        metafunc.parametrize("mode", modes, indirect=True, scope="module")
