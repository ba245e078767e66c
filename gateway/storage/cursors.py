"""Opaque cursors: where a page ended, written so that nobody leans on what stands inside."""

import base64
import binascii
import json
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from gateway.domain.instants import to_micros
from gateway.errors import FieldProblem, InvalidRequest

_MAX_LENGTH: Final = 512
Part = str | int


def make_cursor(*parts: Part) -> str:
    """A cursor that holds the sort key of the last item of a page."""
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode("ascii")


def read_cursor(cursor: str, *kinds: type[Part]) -> tuple[Part, ...]:
    """The parts of `make_cursor`, each of its kind. Raises InvalidRequest for what it did not make."""
    try:
        if len(cursor) > _MAX_LENGTH:
            raise ValueError("too long")
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, RecursionError, binascii.Error) as error:
        raise _not_ours() from error
    if not isinstance(parts, list) or [type(part) for part in parts] != list(kinds):
        raise _not_ours()
    if any(isinstance(part, int) and part.bit_length() > 63 for part in parts):
        raise _not_ours()
    return tuple(parts)


def older_than(cursor: str, at: sa.Column[datetime], row_id: sa.Column[str]) -> sa.ColumnElement[bool]:
    """The condition of the next page of a list that shows the newest first, by instant and then by id."""
    micros, last_id = read_cursor(cursor, int, str)
    # Compared as the integers that they are: a forged one need not be an instant that Python can say.
    key = sa.tuple_(sa.type_coerce(at, sa.BigInteger), row_id)
    return key < sa.tuple_(sa.literal(micros, sa.BigInteger), sa.literal(last_id, sa.Text))


def cursor_at(at: datetime, row_id: str) -> str:
    """The cursor that `older_than` reads, made of the last item of a page."""
    return make_cursor(to_micros(at), row_id)


def _not_ours() -> InvalidRequest:
    problem = FieldProblem(
        pointer="?cursor", code="bad_cursor", message="Pass next_cursor of the page before, unchanged."
    )
    return InvalidRequest("The cursor is not one that a list answered.", [problem])
