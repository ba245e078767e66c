"""Lines of JSON that are on disk before anybody goes on."""

import asyncio
import json
import os
from pathlib import Path


class Journal:
    """Appends entries; those of one turn of the loop share a sync."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._lines: list[bytes] = []
        self._syncing: asyncio.Task[None] | None = None

    async def keep(self, entry: dict[str, object]) -> None:
        """Return when the entry is on disk."""
        self._lines.append(json.dumps(entry).encode() + b"\n")
        if self._syncing is None:
            self._syncing = asyncio.create_task(self._sync())
        # Others wait for the same sync: who is cancelled must not take it away from them.
        await asyncio.shield(self._syncing)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    async def _sync(self) -> None:
        await asyncio.sleep(0)
        self._syncing = None
        lines, self._lines = self._lines, []
        self._file.write(b"".join(lines))
        # In a thread: whoever measures meanwhile should not see our disk.
        await asyncio.to_thread(os.fdatasync, self._file.fileno())
