"""What may be attached to an e-mail: the limits of the settings, and names that no mail program trips over."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.domain.messages import Attachment
from gateway.errors import FieldProblem

_CONTENT_TYPE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,63}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,63}")
"""RFC 6838 §4.2: type and subtype, without parameters."""
_COMPOSITE: Final = ("message/", "multipart/")
"""RFC 2046 §5.2.1, RFC 2045 §6.4: these go unencoded, and a file of which nothing is known must be encoded."""
_UNSAFE_NAME: Final = re.compile(r"[\x00-\x1f\x7f-\x9f/\\\u2028-\u202e\u2066-\u2069]")
"""Controls, path separators, and marks that turn the end of a name around (`exe.` shown as `.exe`)."""
_INLINE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentLimits:
    """How much one message may carry."""

    files: int
    total_bytes: int
    """Decoded, all files together."""


def check_attachments(attachments: Sequence[Attachment], limits: AttachmentLimits) -> list[FieldProblem]:
    """Every attachment that cannot be sent, by JSON pointer."""
    problems: list[FieldProblem] = []
    if len(attachments) > limits.files:
        problems.append(_problem("/attachments", "too_many", f"At most {limits.files} files may be attached."))
    if sum(len(attachment.content) for attachment in attachments) > limits.total_bytes:
        problems.append(_problem("/attachments", "too_large", f"Files may have {limits.total_bytes} bytes in all."))
    inline_ids: set[str] = set()
    for index, attachment in enumerate(attachments):
        base = f"/attachments/{index}"
        if not attachment.filename.strip(". ") or _UNSAFE_NAME.search(attachment.filename):
            problems.append(_problem(f"{base}/filename", "bad_filename", "Give a plain file name, without a path."))
        if (problem := _type_problem(f"{base}/content_type", attachment.content_type)) is not None:
            problems.append(problem)
        if attachment.inline_id is not None:
            if not _INLINE_ID.fullmatch(attachment.inline_id) or attachment.inline_id in inline_ids:
                wanted = "Give an id of its own, of letters, digits, dots, dashes and underscores."
                problems.append(_problem(f"{base}/inline_id", "bad_inline_id", wanted))
            inline_ids.add(attachment.inline_id)
    return problems


def _type_problem(pointer: str, content_type: str) -> FieldProblem | None:
    if not _CONTENT_TYPE.fullmatch(content_type):
        return _problem(pointer, "bad_content_type", "Give a type such as image/png.")
    if content_type.lower().startswith(_COMPOSITE):
        wanted = "A message/* or multipart/* cannot be attached as such: give application/octet-stream."
        return _problem(pointer, "bad_content_type", wanted)
    return None


def _problem(pointer: str, code: str, message: str) -> FieldProblem:
    return FieldProblem(pointer=pointer, code=code, message=message)
