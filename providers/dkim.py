"""DKIM: signs e-mails with the keys of their sender's domain (RFC 6376; Ed25519 by RFC 8463), relaxed and relaxed."""

import re
from base64 import b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.errors import ConfigurationError

_LEAST_RSA_BITS: Final = 1024
"""RFC 8301 section 3.2: verifiers take no shorter one, and 2048 is advised."""
_SIGNED: Final = (
    # RFC 6376 section 5.4.1, and RFC 8058 section 4 for the two of an unsubscription. Whatever of these is there
    # is signed; those of the first line once more than they are there, so that none can be put beside them.
    *("from", "to", "subject", "date", "message-id", "reply-to"),
    *("mime-version", "content-type", "content-transfer-encoding", "content-language", "auto-submitted"),
    *("list-unsubscribe", "list-unsubscribe-post"),
)
_SEALED: Final = frozenset({"from", "to", "subject", "date", "message-id", "reply-to"})
_FIELD: Final = re.compile(rb"([!-9;-~]+)[ \t]*:([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)\r\n")
_RUNS: Final = re.compile(rb"[ \t]{2,}|\t")
"""Blanks that are no single space: searching for each space would take most of the time of a signature."""
_B_LINE: Final = 72


@dataclass(frozen=True, slots=True, kw_only=True)
class DkimKey:
    """One key of a domain; its public half stands in the DNS at `<selector>._domainkey.<domain>`."""

    domain: str
    """Signs what comes from it and from the domains below it."""
    selector: str
    pem: str = field(repr=False)
    """RSA or Ed25519, as PEM."""


class DkimSigner:
    """Signs e-mails with each key that fits their sender."""

    def __init__(self, place: str, keys: tuple[DkimKey, ...]) -> None:
        """Raises ConfigurationError for a key that cannot be used, under its name at `place`."""
        self._keys = [(key, _private_key(place, key)) for key in keys]

    def sign(self, mime: bytes, sender: str) -> bytes:
        """The e-mail, lines ended by CRLF, with a signature of each key of the sender's domain before its headers.

        `sender` is a bare address.
        """
        domain = sender.rpartition("@")[2].lower()
        fitting = [pair for pair in self._keys if _covers(pair[0].domain, domain)]
        if not fitting:
            return mime
        head, _, body = mime.partition(b"\r\n\r\n")
        fields = [
            (found[1].lower().decode(), _relaxed(found[1], found[2])) for found in _FIELD.finditer(head + b"\r\n")
        ]
        names, covered = _covered(fields)
        digest = b64encode(sha256(_relaxed_body(body)).digest()).decode()
        signatures = [_signature(key, private, names, covered, digest) for key, private in fitting]
        return b"".join([*signatures, mime])


def _private_key(place: str, key: DkimKey) -> RSAPrivateKey | Ed25519PrivateKey:
    try:
        private = load_pem_private_key(key.pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(f"{place}: the key of {key.selector} is no private key in PEM.") from error
    if isinstance(private, Ed25519PrivateKey):
        return private
    if isinstance(private, RSAPrivateKey) and private.key_size >= _LEAST_RSA_BITS:
        return private
    raise ConfigurationError(f"{place}: the key of {key.selector} must be Ed25519, or RSA of 1024 bits or more.")


def _covers(domain: str, of_sender: str) -> bool:
    """Whether DMARC takes a signature of `domain` for the sender's, in its relaxed form."""
    signing = domain.lower()
    return of_sender == signing or of_sender.endswith(f".{signing}")


def _relaxed(name: bytes, value: bytes) -> bytes:
    """RFC 6376 section 3.4.2, without the line end."""
    return name.lower() + b":" + _RUNS.sub(b" ", value.replace(b"\r\n", b"")).strip(b" \t")


def _relaxed_body(body: bytes) -> bytes:
    """RFC 6376 section 3.4.4."""
    if not body.endswith(b"\r\n"):
        body += b"\r\n"
    lines = _RUNS.sub(b" ", body).replace(b" \r\n", b"\r\n")
    text = lines.rstrip(b"\r\n")
    return text + b"\r\n" if text else b""


def _covered(fields: list[tuple[str, bytes]]) -> tuple[list[str], bytes]:
    """The names to be signed, and what of them is there; the last of a name first (RFC 6376 section 5.4.2)."""
    by_name: dict[str, list[bytes]] = {}
    for name, value in fields:
        by_name.setdefault(name, []).append(value)
    names: list[str] = []
    covered: list[bytes] = []
    for name in _SIGNED:
        present = by_name.get(name, [])
        names += [name] * (len(present) + (name in _SEALED))
        covered += reversed(present)
    return names, b"".join(one + b"\r\n" for one in covered)


def _signature(
    key: DkimKey, private: RSAPrivateKey | Ed25519PrivateKey, names: list[str], covered: bytes, digest: str
) -> bytes:
    algorithm = "ed25519-sha256" if isinstance(private, Ed25519PrivateKey) else "rsa-sha256"
    head = (
        f" v=1; a={algorithm}; c=relaxed/relaxed;\r\n d={key.domain}; s={key.selector};\r\n"
        f" h={_folded(names)};\r\n bh={digest};\r\n b="
    )
    signed = covered + _relaxed(b"DKIM-Signature", head.encode())
    if isinstance(private, Ed25519PrivateKey):
        # RFC 8463 section 3: what is signed is the hash itself.
        made = private.sign(sha256(signed).digest())
    else:
        made = private.sign(signed, PKCS1v15(), SHA256())
    text = b64encode(made).decode()
    lines = "\r\n ".join(text[start : start + _B_LINE] for start in range(0, len(text), _B_LINE))
    return f"DKIM-Signature:{head}{lines}\r\n".encode()


def _folded(names: list[str]) -> str:
    lines, line = [], ""
    for name in names:
        if len(line) + len(name) > _B_LINE:
            lines.append(line)
            line = ""
        line += f"{name}:"
    return "\r\n ".join([*lines, line]).removesuffix(":")
