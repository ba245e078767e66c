"""What one render may cost. Counted in work, not seconds, so that a verdict never depends on the machine's load.

Templates that passed the allow-list can only loop over the caller's lists, and every operation whose cost grows with
its input pays for it here; with these limits the dearest text ends well within 2 s and 200 MB.
"""

from typing import Final

from gateway.errors import RenderFailed

MAX_OUTPUT: Final = 1_000_000
"""Characters in one part."""
MAX_WORK: Final = 2_000_000
"""Characters read or written by filters and comparisons, and steps of loops, for one part."""
FORMAT_WORK: Final = 20
"""What a format costs in steps."""


class Budget:
    """One part's allowance; whoever spends more than is left gets RenderFailed."""

    __slots__ = ("work",)

    def __init__(self) -> None:
        self.work = MAX_WORK

    def spend(self, work: int) -> None:
        """Pay for an operation over so many characters or items."""
        self.work -= work + 1
        if self.work < 0:
            raise RenderFailed("the text takes more work than a message may: it loops, repeats or rewrites too much")
