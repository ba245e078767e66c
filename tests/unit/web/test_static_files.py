"""What is vendored is what was published, and pages run no script of their own but files."""

import hashlib
import re

from gateway.web.static_files import ROOT

VENDOR = ROOT / "vendor"


def test_every_vendored_file_has_its_checksum_and_every_checksum_its_file() -> None:
    listed = dict(line.split("  ")[::-1] for line in (VENDOR / "checksums.txt").read_text().splitlines())
    files = {path.relative_to(VENDOR).as_posix(): path for path in VENDOR.rglob("*") if path.is_file()}
    files.pop("checksums.txt")

    assert {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()} == listed


def test_every_vendored_library_brings_its_licence() -> None:
    for library in VENDOR.iterdir():
        if library.is_dir():
            assert list(library.glob("LICENSE*")), library.name


def test_the_docs_page_has_no_inline_script_and_no_address_elsewhere() -> None:
    page = (ROOT / "docs" / "index.html").read_text()

    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", page)
    assert not re.search(r"\son\w+=|style=", page)
