"""Several processes as one: started, watched, started again when they die, told to stop together."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import structlog

from gateway.work.gathering import Gathering, read_snapshot
from gateway.work.lifeline import BEAT_SECONDS, READY, SNAPSHOT, WHOLE, hear, open_line, say

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_FIRST_PAUSE_SECONDS: Final = 0.5
_LONGEST_PAUSE_SECONDS: Final = 30.0
_STEADY_SECONDS: Final = 60.0
"""Who lived for so long is started again at once when it dies."""
_SILENT_BEATS: Final = 15
"""A child that is silent for so many beats hangs, and is killed."""
_ANSWER_SECONDS: Final = 2.0
"""How long a scrape waits for a child; of one that is slower the last figures count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """One process to keep running."""

    name: str
    words: Sequence[str]
    """The command, without the program."""
    environment: Mapping[str, str]


@dataclass(slots=True, eq=False)
class _Life:
    """A child from one start to its end."""

    process: asyncio.subprocess.Process
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    is_ready: bool = False
    silent_beats: int = 0
    told: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while its figures are of this scrape."""


class Supervisor:
    """Keeps `children` running until it is told to stop."""

    def __init__(
        self, program: Sequence[str], children: Sequence[Child], *, patience: timedelta, ready: Callable[[], None]
    ) -> None:
        """`patience` is what stopping may take before what still runs is killed; `ready` is called once all work."""
        self._program = program
        self._children = children
        self._patience = patience
        self._ready = ready
        self._lives: dict[str, _Life] = {}
        self._proven: set[str] = set()
        """Children that were ready once: they are started again however they end."""
        self._gathering = Gathering()
        self._scraping = asyncio.Lock()
        self._stop = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> int:
        """Run them until `stop` is set, then end them; 0 if every one ended well, else 1.

        A child that refuses to start, as for a setting that cannot be used, ends them all.
        """
        told = asyncio.create_task(stop.wait())
        keeping = [asyncio.create_task(self._keep(child)) for child in self._children]
        try:
            await asyncio.wait([told, *keeping], return_when=asyncio.FIRST_COMPLETED)
            self._stop.set()
            self._tell(signal.SIGTERM)
            _, late = await asyncio.wait(keeping, timeout=self._patience.total_seconds())
            if late:
                _log.error("processes.killed", count=len(late), patience=self._patience.total_seconds())
                self._tell(signal.SIGKILL)
            return int(any(await asyncio.gather(*keeping)))
        finally:
            told.cancel()
            await asyncio.gather(told, return_exceptions=True)

    def _tell(self, number: signal.Signals) -> None:
        for life in self._lives.values():
            with suppress(ProcessLookupError):
                life.process.send_signal(number)

    async def _keep(self, child: Child) -> bool:
        """Run a child, again and again, until told to stop; whether it failed in the end."""
        loop, pause = asyncio.get_running_loop(), _FIRST_PAUSE_SECONDS
        while True:
            began = loop.time()
            life = await self._start(child)
            status = await self._watch(child, life)
            if self._stop.is_set():
                # One that was told before it could listen has nothing under way.
                return status != 0 and (life.is_ready or status != -signal.SIGTERM)
            if status > 0 and child.name not in self._proven:
                return True
            pause = _FIRST_PAUSE_SECONDS if loop.time() - began > _STEADY_SECONDS else pause
            _log.error("process.ended", process=child.name, status=status, again_in=pause)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stop.wait()
                    return False
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _start(self, child: Child) -> _Life:
        ours, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            process = await asyncio.create_subprocess_exec(
                *self._program,
                *child.words,
                f"--lifeline={number}",
                env={**os.environ, **child.environment},
                pass_fds=(number,),
            )
        reader, writer = await open_line(ours)
        life = self._lives[child.name] = _Life(process, reader, writer)
        if self._stop.is_set():
            process.terminate()
        return life

    async def _watch(self, child: Child, life: _Life) -> int:
        """Wait for its end; one that hangs is killed. Beats in which we stood still ourselves do not count."""
        listening = asyncio.create_task(self._listen(child, life))
        ended = asyncio.create_task(life.process.wait())
        while not (await asyncio.wait([ended], timeout=BEAT_SECONDS))[0]:
            life.silent_beats += life.is_ready
            if life.silent_beats == _SILENT_BEATS:
                _log.error("process.hangs", process=child.name, silent_seconds=_SILENT_BEATS * BEAT_SECONDS)
                life.process.kill()
        await listening
        del self._lives[child.name]
        self._gathering.end(child.name)
        life.told.set()
        life.writer.close()
        return ended.result()

    async def _listen(self, child: Child, life: _Life) -> None:
        async with asyncio.TaskGroup() as answers:
            while (heard := await hear(life.reader)) is not None:
                life.silent_beats = 0
                match heard:
                    case (word, _) if word == READY:
                        self._welcome(child, life)
                    case (word, value) if word == SNAPSHOT:
                        self._gathering.put(child.name, read_snapshot(value))
                        life.told.set()
                    case (word, _) if word == WHOLE:
                        answers.create_task(self._answer(life))
                    case _:
                        pass

    def _welcome(self, child: Child, life: _Life) -> None:
        life.is_ready = True
        was_complete = len(self._proven) == len(self._children)
        self._proven.add(child.name)
        if not was_complete and len(self._proven) == len(self._children):
            self._ready()

    async def _answer(self, asker: _Life) -> None:
        """Tell one child what all of them measure."""
        async with self._scraping:
            lives = [life for life in self._lives.values() if life.is_ready]
            for life in lives:
                life.told.clear()
                say(life.writer, SNAPSHOT)
            with suppress(TimeoutError):
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await asyncio.gather(*(life.told.wait() for life in lives))
        say(asker.writer, WHOLE, self._gathering.exposition().decode())


def this_program() -> list[str]:
    """This program as it was called, without its arguments."""
    return [sys.executable, *sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv) + 1]]
