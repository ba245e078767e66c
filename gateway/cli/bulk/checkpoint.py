"""How far an import came, in a small file beside the one that it reads: what `--resume` goes on from.

It is replaced as a whole after every answer, so that a run that is killed at any moment leaves the state of its last
answered row. What was sent and not answered is sent again; every import may be repeated.
"""

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from gateway.cli.output import fail, notes

_SUFFIX: Final = ".import"
_PIECE: Final = 1 << 20


class Checkpoint(msgspec.Struct, kw_only=True):
    """What a run has behind it."""

    sha256: str
    """Of the whole file: another file is not gone on with."""
    rows: int = 0
    """How many of its rows were answered, from the first."""
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    """How many of them came to what."""
    errors_bytes: int = 0
    """How much of the file of errors belongs to these rows."""


class Keeper:
    """Keeps the checkpoint of one file; of standard input none can be kept."""

    def __init__(self, source: Path | None) -> None:
        self._file = None if source is None else source.with_name(source.name + _SUFFIX)
        self._source = source

    def begin(self, *, resume: bool) -> Checkpoint:
        """Where to begin; asking to resume what cannot be ends with status 2."""
        if self._source is None or self._file is None:
            if resume:
                raise fail("--resume: standard input cannot be read again; give a file.", 2)
            return Checkpoint(sha256="")
        digest = _digest(self._source)
        earlier = self._read()
        if earlier is None:
            if resume:
                notes.print("No earlier run is known: this one begins with the first row.")
        elif resume and earlier.sha256 != digest:
            raise fail(f"--resume: {self._source} is not the file it was; import it without --resume.", 2)
        elif resume:
            return earlier
        else:
            notes.print(f"An earlier run stopped after {earlier.rows} rows; --resume would have gone on from there.")
        return Checkpoint(sha256=digest)

    def save(self, checkpoint: Checkpoint) -> None:
        """Remember; where nothing can be written, the import goes on and cannot be resumed."""
        if self._file is None:
            return
        draft = self._file.with_name(f"{self._file.name}.new")
        try:
            draft.write_bytes(msgspec.json.encode(checkpoint))
            os.replace(draft, self._file)
        except OSError as error:
            notes.print(f"{self._file}: {error.strerror}; should this run stop, it cannot be resumed.")
            self._file = None

    def forget(self) -> None:
        """The end: there is nothing to go on with."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    def _read(self) -> Checkpoint | None:
        assert self._file is not None
        with suppress(OSError, msgspec.DecodeError):
            return msgspec.json.decode(self._file.read_bytes(), type=Checkpoint)
        return None


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
