"""Programs of others, found or asked for."""

import os
import shutil

import pytest

_WHERE = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/sbin"


def find_program(name: str, *, package: str) -> str:
    """Where the program lies; a test that needs one which is not there fails with what to install."""
    found = shutil.which(name, path=_WHERE)
    if found is None:
        pytest.fail(f"This peer is not installed: sudo apt-get install {package}", pytrace=False)
    return found
