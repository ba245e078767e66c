"""Encryption of a notification for one browser: aes128gcm of RFC 8188 with the keys of RFC 8291, one record."""

import hashlib
import hmac
import os
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.domain.values import Value

RECORD_BYTES: Final = 4096
_LAST: Final = b"\x02"
"""Ends the plaintext of the last record (RFC 8188 section 2)."""


class BrowserKeys(Value, frozen=True, kw_only=True):
    """What a subscription says of its browser: `p256dh` and `auth`."""

    public: bytes
    """A point on P-256, 65 bytes uncompressed."""
    secret: bytes
    """16 bytes."""


def encrypt(
    plaintext: bytes,
    keys: BrowserKeys,
    *,
    ours: EllipticCurvePrivateKey | None = None,
    salt: bytes | None = None,
) -> bytes:
    """The body of the request; a new key and salt each time, unless known answers are to be had.

    Raises ValueError for a public key that is no point of the curve.
    """
    ours = ours or generate_private_key(SECP256R1())
    salt = salt or os.urandom(16)
    theirs = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), keys.public)
    our_public = public_bytes(ours)
    shared = _expand(
        _extract(keys.secret, ours.exchange(ECDH(), theirs)), b"WebPush: info\0" + keys.public + our_public, 32
    )
    secret = _extract(salt, shared)
    key = _expand(secret, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _expand(secret, b"Content-Encoding: nonce\0", 12)
    head = salt + RECORD_BYTES.to_bytes(4) + bytes([len(our_public)]) + our_public
    return head + AESGCM(key).encrypt(nonce, plaintext + _LAST, None)


def public_bytes(key: EllipticCurvePrivateKey) -> bytes:
    """The public point of a key, uncompressed."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _extract(salt: bytes, key: bytes) -> bytes:
    return hmac.digest(salt, key, hashlib.sha256)


def _expand(secret: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand (RFC 5869) of at most one block."""
    return hmac.digest(secret, info + b"\x01", hashlib.sha256)[:length]
