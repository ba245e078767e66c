"""A Postfix of the tests' own: private directories, loopback only, and a port that it is told."""

import os
import shutil
import signal
import smtplib
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.peers.programs import find_program
from tests.servers.process import ServerProcess

_MAIN = """
compatibility_level = 3.6
queue_directory = {base}/queue
data_directory = {base}/data
maillog_file = {base}/mail.log
maillog_file_prefixes = {base}
myhostname = postfix.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtp_dns_support_level = disabled
smtp_host_lookup = native
alias_maps =
alias_database =
smtpd_recipient_restrictions = permit_mynetworks, reject
virtual_mailbox_domains = good.test
virtual_mailbox_base = {base}/boxes
virtual_mailbox_maps = inline:{{ ok@good.test=ok }}
virtual_alias_maps = inline:{{ {aliases} }}
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
transport_maps = inline:{{ {transports} }}
recipient_delimiter = +
# What cannot go is told after four seconds, and given up after fifteen.
delay_warning_time = 2s
queue_run_delay = 2s
minimal_backoff_time = 1s
maximal_backoff_time = 2s
maximal_queue_lifetime = 12s
bounce_queue_lifetime = 12s
"""
_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True)
class Postfix:
    """A running one."""

    port: int
    box: Path
    """Where the mail of ok@good.test lies."""


@contextmanager
def running_postfix(port: int, *, transports: Mapping[str, str], aliases: Mapping[str, str]) -> Iterator[Postfix]:
    """Postfix on 127.0.0.1, until the block ends. `transports` and `aliases` are in the words of transport(5) and
    virtual(5)."""
    program = find_program("postfix", package="postfix")
    if os.geteuid() != 0:
        pytest.fail("Postfix changes users between its daemons: run this peer as root", pytrace=False)
    base = Path(tempfile.mkdtemp(prefix="postfix-"))
    try:
        for name in ("etc", "queue", "data", "boxes"):
            (base / name).mkdir()
        # Its daemons are users of their own.
        base.chmod(0o755)
        shutil.chown(base / "data", "postfix")
        shutil.chown(base / "boxes", 65534, 65534)
        main = _MAIN.format(base=base, transports=_inline(transports), aliases=_inline(aliases))
        (base / "etc" / "main.cf").write_text(main)
        (base / "etc" / "master.cf").write_text(_MASTER.format(port=port))
        # `postfix start` leaves its master behind when it is ended itself: it only makes the directories here.
        etc = ["-c", str(base / "etc")]
        subprocess.run([program, *etc, "check"], check=True, capture_output=True)
        asked = [find_program("postconf", package="postfix"), *etc, "-h", "daemon_directory"]
        daemons = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
        server = ServerProcess(
            [f"{daemons}/master", *etc, "-s"],
            log=base / "start.log",
            answers=lambda: _answers(port),
            end=signal.SIGTERM,
            cwd=base,
        )
        server.start()
        try:
            yield Postfix(port=port, box=base / "boxes" / "ok")
        finally:
            server.stop()
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _inline(table: Mapping[str, str]) -> str:
    return ", ".join(f"{{ {key} = {value} }}" for key, value in table.items())


def _answers(port: int) -> bool:
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=5) as client:
            return client.ehlo()[0] == 250
    except OSError:
        return False
