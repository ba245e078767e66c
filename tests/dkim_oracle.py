"""Says whether a DKIM signature holds, step by step as RFC 6376 section 6.1 tells it; relaxed and relaxed only.

It shares nothing with what signs, and is itself held to the message that RFC 8463 prints with both its signatures.
"""

import base64
import hashlib
import re
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

Published = Callable[[str], str]
"""What the DNS holds at a name."""


def verified(mail: bytes, published: Published) -> list[bool]:
    """Of each signature, from the top, whether it holds."""
    head, _, body = mail.decode("latin-1").partition("\r\n\r\n")
    fields = re.split(r"\r\n(?![ \t])", head)
    signatures = [one for one in fields if one.lower().startswith("dkim-signature:")]
    return [_holds(one, [other for other in fields if other != one], body, published) for one in signatures]


def _holds(signature: str, fields: list[str], body: str, published: Published) -> bool:
    tags = _tags(signature.partition(":")[2])
    assert (tags["v"], tags["c"]) == ("1", "relaxed/relaxed")
    if base64.b64encode(hashlib.sha256(_relaxed_body(body).encode("latin-1")).digest()).decode() != tags["bh"]:
        return False
    left, chosen = list(fields), []
    for name in tags["h"].lower().split(":"):
        # From the bottom up; a name more often than the field stands for its absence.
        found = next((one for one in reversed(left) if one.partition(":")[0].strip().lower() == name), None)
        if found is not None:
            left.reverse()
            left.remove(found)
            left.reverse()
            chosen.append(_relaxed(found))
    without_b = re.sub(r"(;\s*b=)[^;]*", r"\1", signature)
    signed = "\r\n".join([*chosen, _relaxed(without_b)]).encode("latin-1")
    return _is_signed(tags, signed, _tags(published(f"{tags['s']}._domainkey.{tags['d']}")))


def _is_signed(tags: dict[str, str], signed: bytes, record: dict[str, str]) -> bool:
    value, public = base64.b64decode(tags["b"]), base64.b64decode(record["p"])
    try:
        if tags["a"] == "ed25519-sha256":
            assert record["k"] == "ed25519"
            Ed25519PublicKey.from_public_bytes(public).verify(value, hashlib.sha256(signed).digest())
        else:
            key = load_der_public_key(public)
            assert (tags["a"], isinstance(key, RSAPublicKey)) == ("rsa-sha256", True)
            assert isinstance(key, RSAPublicKey)
            key.verify(value, signed, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def _tags(text: str) -> dict[str, str]:
    pairs = [one.partition("=") for one in text.split(";") if one.strip()]
    return {name.strip(): re.sub(r"\s+", "", value) for name, _, value in pairs}


def _relaxed(field: str) -> str:
    name, _, value = field.partition(":")
    words = re.split(r"[ \t]+", value.replace("\r\n", ""))
    return f"{name.strip().lower()}:{' '.join(words).strip()}"


def _relaxed_body(body: str) -> str:
    lines = [" ".join(re.split(r"[ \t]+", line)).rstrip(" ") for line in body.split("\r\n")]
    while lines and not lines[-1]:
        lines.pop()
    return "".join(line + "\r\n" for line in lines)
