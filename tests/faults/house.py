"""The gateway as processes that one may kill, freeze and stop: one in the embedded mode, several in the scaled one."""

import asyncio
import json
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, Final

import aiohttp

from tests.faults.births import Child, Nursery, open_nursery
from tests.faults.stores import StoreView
from tests.rigs import write_templates
from tests.servers import free_port
from tests.serving import run_command
from tests.waiting import eventually

_ROOT: Final = Path(__file__).resolve().parents[2]
_START_SECONDS: Final = 180.0
"""A machine at work on other things may take as long; how soon a gateway is ready is not what is shown here."""
_BELIEVED_SECONDS: Final = 5.0
_STOP_SECONDS: Final = 40.0
GONE: Final = (aiohttp.ClientError, ConnectionError, TimeoutError)
_TROUBLE: Final = ("http.failed", "loop.failed", "delivery.crashed", "claim.dropped", "Traceback")
"""What a gateway writes to its log only when something happened that nobody foresaw."""


class Mode(StrEnum):
    """How the gateway is set up."""

    EMBEDDED = "embedded"
    """SQLite, everything in one process."""
    SCALED = "scaled"
    """PostgreSQL and Redis, two web processes and two workers."""


@dataclass(slots=True)
class Member:
    """One process of the gateway; it keeps its port from start to start."""

    name: str
    nursery: Nursery
    run: str
    """What the nursery is asked for."""
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    url: str
    """Where it answers; a worker answers probes only."""
    takes_posts: bool
    child: Child | None = None

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self.child is not None and not self.child.ended.done()

    @property
    def pid(self) -> int:
        """Its process id; it must have been started."""
        assert self.child is not None
        return self.child.pid

    async def start(self) -> None:
        """Start it; it may take a while to be ready."""
        self.child = await self.nursery.bear(
            self.run, self.arguments, environment=self.environment, folder=self.log.parent, log=self.log
        )

    async def kill(self) -> None:
        """End it as a crash would: no handler runs."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """Ask it to stop; its exit status."""
        return await self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """Let it stand still, as a machine that swaps or a debugger does."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    async def _end(self, number: signal.Signals) -> int:
        assert self.child is not None
        if self.is_running:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)
        async with asyncio.timeout(_STOP_SECONDS):
            return await asyncio.shield(self.child.ended)


@dataclass(slots=True)
class House:
    """All processes of one gateway, its store and its key."""

    folder: Path
    view: StoreView
    environment: Mapping[str, str]
    session: aiohttp.ClientSession
    members: list[Member]
    clock: Path | None = None
    """Where it stands by how many seconds the members' wall clocks are ahead; None where they are the machine's."""
    key: str = ""
    broken: list[str] = field(default_factory=list)
    """What went wrong in the processes themselves."""

    @property
    def webs(self) -> Sequence[Member]:
        """Those that take posts."""
        return [member for member in self.members if member.takes_posts]

    @property
    def workers(self) -> Sequence[Member]:
        """Those that call providers; in the embedded mode the same ones."""
        return [member for member in self.members if not member.takes_posts] or self.members

    @property
    def headers(self) -> dict[str, str]:
        """What a call carries."""
        return {"Authorization": f"Bearer {self.key}"}

    async def make_key(self) -> None:
        """The store's tables and a key for the rig, from the command line."""
        upgraded = await run_command("db", "upgrade", environment=self.environment)
        assert upgraded.status == 0, upgraded.err
        scopes = ("send", "read", "ops", "recipients", "policy")
        given = [word for scope in scopes for word in ("--scope", scope)]
        made = await run_command("keys", "create", "--service", "rig", *given, "--json", environment=self.environment)
        assert made.status == 0, made.err
        self.key = json.loads(made.out)["key"]

    async def start(self, *members: Member) -> None:
        """Start these, or all, and wait until they are ready."""
        chosen = members or self.members
        for member in chosen:
            await member.start()
        for member in chosen:
            await self.ready(member)

    async def ready(self, member: Member, seconds: float = _START_SECONDS) -> None:
        """Wait until a member can work."""
        async with asyncio.timeout(seconds):
            while not await self.is_ready(member):
                assert member.is_running, f"{member.name} stopped at its start: {member.log.read_text()[-2000:]}"
                await asyncio.sleep(0.02)

    async def is_ready(self, member: Member) -> bool:
        """Whether `/readyz` says so."""
        with suppress(*GONE):
            async with self.session.get(f"{member.url}/readyz") as response:
                return response.status == 200
        return False

    async def kill(self, *members: Member) -> None:
        """Kill these, or all."""
        for member in members or self.members:
            await member.kill()

    async def restart(self) -> None:
        """Start whatever does not run."""
        for member in self.members:
            if not member.is_running:
                await member.start()
        for member in self.members:
            await self.ready(member)

    async def stop(self) -> list[int]:
        """Ask all to stop; their exit statuses."""
        return list(await asyncio.gather(*[member.stop() for member in self.members if member.is_running]))

    async def get(self, path: str) -> tuple[int, Any]:
        """One GET at a member that answers: status and body."""
        web = next(member for member in self.webs if member.is_running)
        async with self.session.get(f"{web.url}{path}", headers=self.headers) as response:
            return response.status, await response.json()

    async def require(self, path: str, wanted: int) -> None:
        """Write down where a GET does not come to this status; an answer may be believed for a few seconds."""
        try:
            await eventually(partial(self.get, path), lambda got: got[0] == wanted, _BELIEVED_SECONDS)
        except AssertionError:
            self.broken.append(f"{path} is not {wanted}")

    async def post(self, path: str, body: Any) -> tuple[int, Any]:
        """One POST at a member that answers: status and body."""
        web = next(member for member in self.webs if member.is_running)
        async with self.session.post(f"{web.url}{path}", json=body, headers=self.headers) as response:
            return response.status, await response.json()

    def step(self, by: timedelta) -> None:
        """Set the wall clock of all members at once."""
        assert self.clock is not None
        draft = self.clock.with_suffix(".new")
        draft.write_text(str(float(self.clock.read_text()) + by.total_seconds()))
        draft.replace(self.clock)

    def trouble(self) -> list[str]:
        """Lines of the members' logs that should not be there."""
        found: list[str] = []
        for member in self.members:
            lines = member.log.read_text().splitlines() if member.log.exists() else []
            for number, line in enumerate(lines):
                if any(word in line for word in _TROUBLE):
                    # What a traceback comes to stands in its first line that is not indented.
                    end = next((later for later in lines[number + 1 :] if not later.startswith(" ")), "")
                    found.append(f"{member.name}: {line[:300]} {end[:300] if line.startswith('Traceback') else ''}")
        return found

    async def aclose(self) -> None:
        """Kill what still runs."""
        for member in self.members:
            if member.is_running:
                member.thaw()
                await member.kill()


def write_settings(folder: Path, sections: Mapping[str, Any]) -> dict[str, str]:
    """Settings and templates below a folder, and the environment in which commands find them."""
    templates, translations = write_templates(folder / "templates"), folder / "translations"
    _write_pin(templates)
    translations.mkdir(exist_ok=True)
    given = {"content": {"templates": str(templates), "translations": str(translations)}, **sections}
    config = folder / "heliograph.toml"
    config.write_text("\n".join(_toml(given)) + "\n", encoding="utf-8")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HELIOGRAPH_")}
    # Hundreds of starts follow: each would compile every module anew where the machine keeps no bytecode.
    inherited.pop("PYTHONDONTWRITEBYTECODE", None)
    bytecode = Path(tempfile.gettempdir()) / f"heliograph-faults-bytecode-{os.getuid()}"
    own = {"HELIOGRAPH_CONFIG": str(config), "PYTHONPATH": str(_ROOT), "PYTHONPYCACHEPREFIX": str(bytecode)}
    return inherited | own


def _write_pin(templates: Path) -> None:
    """A one-time code by e-mail, so that it reaches the stub."""
    files = {
        "template.toml": 'description = "A one-time code"\ncategory = "critical"\nchannels = ["email"]\n'
        '[variables]\ncode = {type = "string", secret = true}\n[samples.usual]\ncode = "908172"\n',
        "email/subject.txt": "Your code",
        "email/body.html": "<p>{{ code }}</p>",
        "email/body.txt": "{{ code }}",
    }
    for name, text in files.items():
        file = templates / "pin" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def _toml(sections: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Tables of tables as TOML; a list of tables becomes an array of tables."""
    lines: list[str] = []
    for name, value in sections.items():
        title = f"{prefix}{name}"
        if isinstance(value, list):
            for one in value:
                lines += [f"[[{title}]]", *_plain(one)]
        else:
            lines += [f"[{title}]", *_plain(value)]
            lines += _toml({inner: table for inner, table in value.items() if isinstance(table, dict)}, f"{title}.")
    return lines


def _plain(table: Mapping[str, Any]) -> list[str]:
    return [f"{name} = {_inline(value)}" for name, value in table.items() if not isinstance(value, dict)]


def _inline(value: Any) -> str:
    """One value; a JSON string, number or truth is a TOML one too."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_inline(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value)


@asynccontextmanager
async def open_house(
    folder: Path, view: StoreView, sections: Mapping[str, Any], *, webs: int, workers: int, clocked: bool
) -> AsyncIterator[House]:
    """A gateway that is not started yet; without workers of their own its web processes do the work."""
    environment = write_settings(folder, {"store": {"url": view.url}, "log": {"format": "json"}, **sections})
    clock = folder / "clock" if clocked else None
    if clock is not None:
        clock.write_text("0")
    names = [("serve", f"web-{n}") for n in range(1, webs + 1)]
    names += [("worker", f"worker-{n}") for n in range(1, workers + 1)]
    timeout = aiohttp.ClientTimeout(total=20)
    async with (
        open_nursery(environment) as nursery,
        aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        members = [_member(nursery, folder, name, verb, environment) for verb, name in names]
        house = House(folder, view, environment, session, members, clock)
        try:
            yield house
        finally:
            await house.aclose()


def _member(nursery: Nursery, folder: Path, name: str, verb: str, environment: Mapping[str, str]) -> Member:
    port, section = free_port(), {"serve": "SERVER", "worker": "WORKER"}[verb]
    clock = folder / "clock"
    return Member(
        name=name,
        nursery=nursery,
        run="clocked" if clock.exists() else "command",
        arguments=("clocked", str(clock), verb) if clock.exists() else ("heliograph", verb),
        environment={**environment, f"HELIOGRAPH_{section}_PORT": str(port)},
        log=folder / f"{name}.log",
        url=f"http://127.0.0.1:{port}",
        takes_posts=verb == "serve",
    )
