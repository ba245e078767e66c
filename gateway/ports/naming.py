"""The seam to the DNS: the records that a sending domain is judged by."""

from collections.abc import Sequence
from typing import Protocol


class Names(Protocol):
    """Looks names up; None says that nobody could be asked, which is not that there is nothing."""

    async def texts(self, name: str) -> Sequence[str] | None:
        """The TXT records of a name, the strings of each put together; empty where it has none."""

    async def takes_mail(self, name: str) -> bool | None:
        """Whether mail to a name goes anywhere: by an MX record, or by the address of the name itself."""
