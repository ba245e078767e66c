"""The Idempotency-Key header, quoted as draft-ietf-httpapi-idempotency-key-header says or bare as people send it."""

import re
from typing import Final

from pydantic import BaseModel

from gateway.delivery.accepting.idempotency import IdempotencyKey
from gateway.errors import FieldProblem, InvalidRequest
from gateway.web.endpoints import Call
from gateway.web.serialization import fingerprint

_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\["\\])*)"', re.ASCII)


def idempotency_key(call: Call[BaseModel, BaseModel]) -> IdempotencyKey | None:
    """The caller's key with what this body comes to; None without one. Raises InvalidRequest for an unusable one."""
    given = call.request.headers.getall("Idempotency-Key", ())
    if not given:
        return None
    text = given[0].strip()
    if text[:1] == '"' and (quoted := _QUOTED.fullmatch(text)):
        # RFC 9651 §3.3.3: a backslash stands only before a quote or a backslash.
        text = re.sub(r"\\(.)", r"\1", quoted[1])
    if len(given) > 1 or not _KEY.fullmatch(text):
        message = "Give one key of 1 to 255 visible ASCII characters, such as a UUID."
        problem = FieldProblem(pointer="Idempotency-Key", code="wrong_format", message=message)
        raise InvalidRequest("The Idempotency-Key header is wrong.", (problem,))
    return IdempotencyKey(key=text, fingerprint=fingerprint(call.canonical))
