"""JSON Web Tokens as push services want them: signed and compact (RFC 7515, RFC 7518 section 3)."""

import base64
import json
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256


def sign_token(
    key: EllipticCurvePrivateKey | RSAPrivateKey, claims: Mapping[str, object], header: Mapping[str, object]
) -> str:
    """A token by ES256 for a key on P-256, by RS256 for one of RSA; `header` adds members such as `kid`."""
    algorithm = "ES256" if isinstance(key, EllipticCurvePrivateKey) else "RS256"
    signed = f"{_part({**header, 'alg': algorithm})}.{_part(claims)}".encode()
    if isinstance(key, EllipticCurvePrivateKey):
        # Two numbers of fixed length, not the DER that the library makes of them.
        r, s = decode_dss_signature(key.sign(signed, ECDSA(SHA256())))
        signature = r.to_bytes(32) + s.to_bytes(32)
    else:
        signature = key.sign(signed, PKCS1v15(), SHA256())
    return f"{signed.decode()}.{to_base64url(signature)}"


def to_base64url(data: bytes) -> str:
    """Without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """With or without padding. Raises ValueError."""
    return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True)


def _part(members: Mapping[str, object]) -> str:
    return to_base64url(json.dumps(members, separators=(",", ":")).encode())
