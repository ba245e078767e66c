"""Signature Version 4: how a call to AWS is signed (docs.aws.amazon.com, "Signature Version 4 for API requests")."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlsplit

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_PORTS: Final = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """One key for one service in one region."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    region: str
    service: str

    def sign(self, method: str, url: str, headers: Mapping[str, str], body: bytes, now: datetime) -> dict[str, str]:
        """The headers and those that make the call ours; all of them must be sent as they are.

        `url` has no query and is ASCII; `now` is UTC, and AWS believes it for five minutes.
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.port is not None and parts.port != _PORTS.get(parts.scheme):
            host = f"{host}:{parts.port}"
        at = f"{now:%Y%m%dT%H%M%SZ}"
        signed = {**headers, "Host": host, "X-Amz-Date": at}
        canonical = {name.lower(): " ".join(text.split()) for name, text in signed.items()}
        names = ";".join(sorted(canonical))
        request = "\n".join(
            [
                method,
                # Escaped once more than it is sent, as for every service but S3.
                quote(parts.path or "/", safe="/-_.~"),
                "",
                *(f"{name}:{canonical[name]}" for name in sorted(canonical)),
                "",
                names,
                hashlib.sha256(body).hexdigest(),
            ]
        )
        scope = f"{now:%Y%m%d}/{self.region}/{self.service}/aws4_request"
        text = "\n".join([_ALGORITHM, at, scope, hashlib.sha256(request.encode()).hexdigest()])
        signature = hmac.digest(self._key(scope), text.encode(), "sha256").hex()
        credential = f"{self.access_key_id}/{scope}"
        authorization = f"{_ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
        return {**signed, "Authorization": authorization}

    def _key(self, scope: str) -> bytes:
        """The key for one day, region and service."""
        key = f"AWS4{self.secret_access_key}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return key
