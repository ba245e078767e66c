"""What every value is made of: named fields that never change, compared by what they hold.

A message is some hundred fields in a dozen values on its way, and a frozen dataclass sets each by a call of its
own; these are made by one call in C.
"""

from typing import Any, ClassVar

from msgspec import Struct, field
from msgspec.structs import replace

__all__ = ["Discreet", "Value", "field", "replace"]


class Value(Struct, frozen=True, kw_only=True):
    """Base of all values; each class repeats `frozen=True, kw_only=True`, as keywords are not inherited.

    `replace(value, name=…)` is a copy with some fields changed. What a value holds is not checked here. Where its
    JSON is kept as such, `omit_defaults=True` leaves out what was never said, and `tag` names one of a union.
    """


class Discreet(Value, frozen=True, kw_only=True):
    """A value whose text leaves out what nobody should read in a traceback or a log."""

    unshown: ClassVar[frozenset[str]]
    """The fields that are left out."""

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """The fields that may be seen, for those who print values in colours."""
        return [(name, getattr(self, name)) for name in self.__struct_fields__ if name not in self.unshown]

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({fields})"
