"""Access to Google's servers for a service account: a signed assertion for a token that lasts an hour (RFC 7523)."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.errors import ConfigurationError
from providers.base import Clock, Outcome, SendResult, plain_text
from providers.http import HttpClient, NoAnswer
from providers.http_answers import read_object
from providers.tokens import sign_token

_AUDIENCE: Final = "https://oauth2.googleapis.com/token"
"""Always, wherever the token is fetched, as in Google's own libraries."""
_SCOPE: Final = "https://www.googleapis.com/auth/firebase.messaging"
_LASTS_SECONDS: Final = 3600
_EARLY_SECONDS: Final = 300
"""A token is renewed so long before it ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccount:
    """What the key file of a service account says."""

    project_id: str
    client_email: str
    private_key_id: str
    private_key: RSAPrivateKey = field(repr=False)
    token_uri: str


def read_service_account(name: str, text: str) -> ServiceAccount:
    """The key file, as JSON. Raises ConfigurationError that shows nothing of it."""
    try:
        document = json.loads(text)
        members = {key: str(document[key]) for key in ("project_id", "client_email")}
        key = load_pem_private_key(str(document["private_key"]).encode(), None)
    except (ValueError, TypeError, KeyError, RecursionError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        # The words of the error might show some of the key.
        raise ConfigurationError(
            f"providers.{name}.service_account: this is no key file of a service account."
        ) from None
    return ServiceAccount(
        **members,
        private_key_id=str(document.get("private_key_id", "")),
        private_key=key,
        token_uri=str(document.get("token_uri") or _AUDIENCE),
    )


class Access:
    """The token in force; whoever needs one while another fetches it waits for that one."""

    def __init__(self, account: ServiceAccount, http: HttpClient, clock: Clock) -> None:
        self._account = account
        self._http = http
        self._clock = clock
        self._token = ""
        self._renewed = 0.0
        """The instant, in seconds since 1970, from which another is to be fetched."""
        self._fetching = asyncio.Lock()

    async def token(self, deadline_seconds: float) -> str | SendResult:
        """A token that holds, or why there is none: of no message anything was said."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + deadline_seconds
        try:
            async with asyncio.timeout_at(ends):
                await self._fetching.acquire()
        except TimeoutError:
            return SendResult(outcome=Outcome.TRANSIENT, code="token:late", detail="No access token came in time.")
        try:
            now = self._clock.now().timestamp()
            if now < self._renewed:
                return self._token
            return await self._fetch(now, max(ends - loop.time(), 0.001))
        finally:
            self._fetching.release()

    def forget(self, token: str) -> None:
        """Fetch another next time: this one was refused."""
        if token == self._token:
            self._renewed = 0.0

    def __repr__(self) -> str:
        return f"Access({self._account.client_email!r})"

    async def _fetch(self, now: float, deadline_seconds: float) -> str | SendResult:
        claims = {
            "iss": self._account.client_email,
            "scope": _SCOPE,
            "aud": _AUDIENCE,
            "iat": int(now),
            "exp": int(now) + _LASTS_SECONDS,
        }
        assertion = sign_token(self._account.private_key, claims, {"typ": "JWT", "kid": self._account.private_key_id})
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
        answer = await self._http.call(
            "POST",
            self._account.token_uri,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            body=urlencode(form).encode(),
            deadline_seconds=deadline_seconds,
        )
        if isinstance(answer, NoAnswer):
            # Whether Google made a token or not: no message has left.
            known = Outcome.TRANSIENT if answer.outcome is Outcome.UNKNOWN else answer.outcome
            return SendResult(outcome=known, code=f"token:{answer.code}", detail=answer.detail)
        told = read_object(answer)
        token = plain_text(told.get("access_token"), 8192)
        if answer.status != 200 or token is None:
            refused = 400 <= answer.status < 500 and answer.status not in (408, 429)
            return SendResult(
                outcome=Outcome.MISCONFIGURED if refused else Outcome.TRANSIENT,
                code=f"token:{plain_text(told.get('error')) or answer.status}",
                detail="Google gave no access token.",
            )
        lasts = told.get("expires_in")
        self._token = token
        self._renewed = (
            now + (min(lasts, _LASTS_SECONDS) if isinstance(lasts, int) else _LASTS_SECONDS) - _EARLY_SECONDS
        )
        return token
