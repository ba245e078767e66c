"""F4 and F5: the power is cut, the disk is full."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Final

from tests.faults.house import Mode
from tests.faults.judge import Allowed, Verdict
from tests.faults.ledger import note, traffic
from tests.faults.rig import Row, Scene, Stage

_IMAGE_BYTES: Final = 96 * 1024 * 1024
_TMPFS: Final = "16m"
_SHORTEST, _LONGEST = 0.2, 1.5
"""Seconds of traffic before the power is cut."""
_EMBEDDED: Final = frozenset({Mode.EMBEDDED})
"""What a power cut or a full disk leaves of PostgreSQL is PostgreSQL's to show."""
_RECOVERY_SECONDS: Final = 30.0
_ANSWER_SECONDS: Final = 10.0


async def cut_power(stage: Stage, trials: int) -> Verdict:
    """F4: what the block device holds at one instant is all that is left; page cache and processes are gone.

    The store lies on an ext4 image mounted through a loop device. At the cut the processes stand still and the image
    is copied: writes that no sync has pushed down are not in it. The copy is then mounted in its place, so that
    journal and WAL are recovered from it. A disk that lies about syncs is not shown by this.
    """
    image, mounted = stage.folder / "disk.img", stage.folder / "disk"
    make_image(image)
    mounted.mkdir()
    mount(image, mounted)
    try:
        async with stage.scene(store_folder=mounted, started=False) as scene:
            for number in range(trials):
                await scene.house.restart()
                await scene.ledger.settle()
                async with traffic(scene.ledger, f"{number}", scene.chance, "email", "sms"):
                    await asyncio.sleep(scene.chance.uniform(_SHORTEST, _LONGEST))
                    for member in scene.house.members:
                        member.freeze()
                    survivor = copy_image(image)
                    await scene.house.kill()
                unmount(mounted)
                survivor.replace(image)
                mount(image, mounted)
            await scene.house.restart()
            return await scene.judge(trials, Allowed(unknown=trials * scene.in_flight))
    finally:
        unmount(mounted)


def make_image(image: Path) -> None:
    """A file with an empty ext4."""
    image.parent.mkdir(parents=True, exist_ok=True)
    with image.open("wb") as file:
        file.truncate(_IMAGE_BYTES)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)


def mount(image: Path, place: Path) -> None:
    """Mount an image; what its journal holds is replayed."""
    subprocess.run(["mount", "-o", "loop", image, place], check=True)


def unmount(place: Path) -> None:
    """Take it away, whoever still holds it."""
    subprocess.run(["umount", "--lazy", place], check=False)


def copy_image(image: Path) -> Path:
    """The image as it stands at one instant: copied until two copies in a row are equal."""
    copies = image.with_suffix(".one"), image.with_suffix(".two")
    while True:
        for copy in copies:
            shutil.copyfile(image, copy)
        if subprocess.run(["cmp", "--silent", *copies], check=False).returncode == 0:
            return copies[0]


async def fill_disk(stage: Stage, trials: int) -> Verdict:
    """F5: no room, then room again; nobody restarts anything."""
    verdict = Verdict()
    for number in range(trials):
        place = stage.folder / f"small-{number}"
        with small_disk(place):
            async with stage.scene(store_folder=place) as scene:
                await _fill_and_free(scene, place)
                verdict.add(await scene.judge(1, Allowed(unknown=scene.in_flight)))
    return verdict


async def _fill_and_free(scene: Scene, place: Path) -> None:
    house, ledger = scene.house, scene.ledger
    first = await ledger.post("before", note(scene.chance, "sms"))
    assert first.status == 202
    ballast = place / "ballast"
    fill(ballast)
    refused, _ = await scene.post_until(503, 60)
    if refused.retry_after is None:
        house.broken.append("503 without Retry-After")
    if refused.seconds > _ANSWER_SECONDS:
        house.broken.append(f"503 after {refused.seconds:.1f} s")
    for path, wanted in ((f"/v1/messages/{ledger.promised['before']}", 200), ("/healthz", 200), ("/readyz", 503)):
        await house.require(path, wanted)
    ballast.unlink()
    await scene.accepts_again(_RECOVERY_SECONDS)


def fill(ballast: Path) -> None:
    """Take all the room that is left."""
    with ballast.open("wb", buffering=0) as file:
        for size in (1024 * 1024, 64 * 1024, 4096):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


@contextmanager
def small_disk(place: Path) -> Iterator[None]:
    """A file system of a few megabytes."""
    place.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_TMPFS}", "tmpfs", place], check=True)
    try:
        yield
    finally:
        unmount(place)


@lru_cache(maxsize=1)
def _cannot_mount() -> str | None:
    if os.geteuid() != 0:
        return "mounting needs root"
    missing = [name for name in ("mkfs.ext4", "mount", "umount", "cmp") if shutil.which(name) is None]
    return f"no {', '.join(missing)}" if missing else None


ROWS: Final = (
    Row(name="F4 power cut", play=cut_power, short=1, long=50, possible=_cannot_mount, modes=_EMBEDDED),
    Row(name="F5 disk full, then freed", play=fill_disk, short=1, long=10, possible=_cannot_mount, modes=_EMBEDDED),
)
