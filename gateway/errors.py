"""The error tree: a class exists because a caller acts differently on it.

    GatewayError
    ├── InvalidRequest        the caller must change the request; names every wrong field (422)
    ├── NotFound              absent, or another service's: the two are never told apart (404)
    ├── Conflict              the resource's state forbids it now (409)
    ├── IdempotencyMismatch   the key was used for another body (422)
    ├── RateLimited           slow down; retry_after says how long (429)
    ├── Overloaded            the gateway sheds load before it loses anything (503)
    ├── Unavailable           the store cannot commit now (503)
    ├── ConfigurationError    stops the start; names the key, the file and the line
    └── ContentError          a published text cannot be used; its users fall back or are refused
        ├── CatalogBroken     a PO file that is not whole; names file and line
        ├── TemplateBroken    a template that does not pass its checks; names part and line
        └── RenderFailed      this text with these values; the next language is tried

Policy outcomes and provider answers are values (gateway.domain), not exceptions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProblem:
    """One wrong field: where it is and what would be right."""

    pointer: str
    """JSON pointer (RFC 6901) into the request body, or a name such as `?limit` for a query parameter."""
    code: str
    """Stable word for programs, such as `missing`, `unknown_locale`, `too_long`."""
    message: str
    """A sentence for people that says what is wrong and how to mend it."""


class GatewayError(Exception):
    """Root of all errors that Heliograph raises on purpose."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidRequest(GatewayError):
    """The request can never succeed as it stands; nothing was stored."""

    code = "invalid_request"

    def __init__(self, message: str, problems: Sequence[FieldProblem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class NotFound(GatewayError):
    """There is no such thing, or it is another service's."""

    code = "not_found"


class Conflict(GatewayError):
    """What is asked contradicts the present state; `code` says how (`too_late`, `not_failed`, …)."""

    code = "conflict"

    def __init__(self, message: str, code: str = "conflict") -> None:
        super().__init__(message)
        self.conflict_code = code


class IdempotencyMismatch(GatewayError):
    """The idempotency key was used before with another body."""

    code = "idempotency_mismatch"


class RateLimited(GatewayError):
    """The service sends faster than its key allows."""

    code = "rate_limited"

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Overloaded(GatewayError):
    """The backlog is too old or too large to promise anything; nothing was stored."""

    code = "overloaded"

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(GatewayError):
    """The store cannot commit; nothing was stored and a later try may succeed."""

    code = "unavailable"

    def __init__(self, message: str, retry_after_seconds: float = 5.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ConfigurationError(GatewayError):
    """The settings are wrong; raised before anything is opened."""

    code = "configuration"


class ContentError(GatewayError):
    """A template or catalog cannot be used as it is."""

    code = "content"


class CatalogBroken(ContentError):
    """A PO file is not whole or not sound; the last good one goes on serving."""

    code = "catalog_broken"

    def __init__(self, message: str, *, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


class TemplateBroken(ContentError):
    """A template part does not parse or uses what templates may not use."""

    code = "template_broken"

    def __init__(self, message: str, *, part: str = "", line: int = 0) -> None:
        super().__init__(message)
        self.part = part
        self.line = line


class RenderFailed(ContentError):
    """This text could not be rendered with these values in this language."""

    code = "render_failed"
