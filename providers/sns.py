"""What Amazon SNS posts, and whether it is SNS's own.

Each message is signed with the key of a certificate that its `SigningCertURL` names (docs.aws.amazon.com, "Verifying
the signatures of Amazon SNS messages"). A forged one names whatever it likes, so the address must be that of SNS in
the region of a topic that the settings name, and the topic is looked at before anything is fetched.
"""

import asyncio
import base64
import binascii
import json
import re
from collections import OrderedDict
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final, Protocol
from urllib.parse import urlencode

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm

from gateway.errors import InvalidRequest, Unavailable
from providers.base import WebhookRequest
from providers.http import Answer, HttpClient, NoAnswer

_NOTIFICATION: Final = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION: Final = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
CONFIRMATION: Final = "SubscriptionConfirmation"
_SIGNED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"Notification": _NOTIFICATION, CONFIRMATION: _CONFIRMATION, "UnsubscribeConfirmation": _CONFIRMATION}
)
"""What is signed of each kind, in this order; of a notification without a subject, none."""
_HASHES: Final[Mapping[str, HashAlgorithm]] = MappingProxyType({"1": SHA1(), "2": SHA256()})  # noqa: S303
"""By `SignatureVersion`. Topics that were not changed since 2022 still sign by the first."""
_ARN: Final = re.compile(r"arn:(aws[a-z-]*):sns:([a-z0-9-]+):\d{12}:[\w-]+(?:\.fifo)?")
_CERTIFICATE: Final = re.compile(r"/SimpleNotificationService-[0-9A-Za-z-]{1,80}\.pem")
_BELIEVED: Final = timedelta(hours=25)
"""SNS repeats for an hour at most; what is older than a day is refused, and a replay within is known by its id."""
_AHEAD: Final = timedelta(minutes=5)
_KEPT_KEYS: Final = 16
_FETCH_SECONDS: Final = 5.0

Envelope = Mapping[str, str]
"""The members of a message that are texts."""


class Keys(Protocol):
    """Where the keys come from."""

    async def key(self, origin: str, path: str, at: datetime) -> RSAPublicKey | None:
        """The key of a certificate that holds at that instant, None where there is none.

        Raises Unavailable where that cannot be said now.
        """


class Certificates:
    """Fetches certificates from SNS, one at a time, and keeps the keys of the last few."""

    def __init__(self, http: HttpClient, base_url: str | None) -> None:
        """`base_url` is where SNS is reached, if not at its own address."""
        self._http = http
        self._base_url = base_url
        self._kept: OrderedDict[str, x509.Certificate] = OrderedDict()
        self._one_at_a_time = asyncio.Lock()
        self._silent_until = 0.0
        """On the loop's clock: while SNS does not answer, calls are put off at once and do not queue up here."""

    async def key(self, origin: str, path: str, at: datetime) -> RSAPublicKey | None:
        """See `Keys`."""
        url = f"{self._base_url or origin}{path}"
        certificate = self._kept.get(url)
        if certificate is None:
            async with self._one_at_a_time:
                certificate = self._kept.get(url) or await self._fetch(url)
        if certificate is None or not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
            return None
        self._kept[url] = certificate
        self._kept.move_to_end(url)
        while len(self._kept) > _KEPT_KEYS:
            self._kept.popitem(last=False)
        key = certificate.public_key()
        return key if isinstance(key, RSAPublicKey) else None

    async def _fetch(self, url: str) -> x509.Certificate | None:
        clock = asyncio.get_running_loop().time
        if clock() >= self._silent_until:
            answer = await self._http.call("GET", url, headers={}, deadline_seconds=_FETCH_SECONDS)
            if not isinstance(answer, NoAnswer) and answer.status < 500 and answer.status != 429:
                return _read_certificate(answer)
            self._silent_until = clock() + _FETCH_SECONDS
        raise Unavailable("The certificate of SNS is not to be had now.")


def _read_certificate(answer: Answer) -> x509.Certificate | None:
    if answer.status != 200 or answer.body is None:
        return None
    try:
        return x509.load_pem_x509_certificate(answer.body)
    except (ValueError, UnsupportedAlgorithm):
        return None


def read_envelope(body: bytes) -> Envelope | None:
    """The message in a body; None where it holds none."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    return {name: text for name, text in document.items() if isinstance(text, str)}


async def is_genuine(request: WebhookRequest, topic_arns: Collection[str], keys: Keys) -> bool:
    """Whether SNS signed the call lately, for one of the topics. Raises Unavailable where no key is to be had now."""
    envelope = read_envelope(request.body)
    if envelope is None or envelope.get("TopicArn") not in topic_arns:
        return False
    algorithm = _HASHES.get(envelope.get("SignatureVersion", ""))
    at = instant(envelope.get("Timestamp"))
    origin, url = sns_url(envelope["TopicArn"]), envelope.get("SigningCertURL", "")
    path = url.removeprefix(origin or "-")
    if algorithm is None or at is None or origin is None or path == url or not _CERTIFICATE.fullmatch(path):
        return False
    if not -_AHEAD <= request.received_at - at <= _BELIEVED:
        return False
    try:
        signature = base64.b64decode(envelope.get("Signature", ""), validate=True)
        signed = string_to_sign(envelope).encode()
    except (binascii.Error, ValueError, KeyError):
        return False
    key = await keys.key(origin, path, request.received_at)
    return key is not None and _is_signed(key, signature, signed, algorithm)


async def confirm(http: HttpClient, envelope: Envelope, base_url: str | None) -> None:
    """Confirm the subscription that a genuine message asks for.

    The address is made by us and not taken from the message. Raises Unavailable, and InvalidRequest where SNS does
    not take the token, which holds for three days.
    """
    arn = envelope["TopicArn"]
    query = urlencode({"Action": "ConfirmSubscription", "TopicArn": arn, "Token": envelope.get("Token", "")})
    url = f"{base_url or sns_url(arn)}/?{query}"
    answer = await http.call("GET", url, headers={}, deadline_seconds=_FETCH_SECONDS)
    if isinstance(answer, NoAnswer) or answer.status >= 500 or answer.status == 429:
        raise Unavailable("The subscription could not be confirmed now.")
    if answer.status != 200:
        raise InvalidRequest("SNS did not take the confirmation of its subscription.")


def string_to_sign(envelope: Envelope) -> str:
    """What SNS signs: names and values, each on a line of its own, the last ended like all others.

    Raises KeyError for a message of another kind or without what its kind must have.
    """
    names = [name for name in _SIGNED[envelope["Type"]] if name != "Subject" or name in envelope]
    return "".join(f"{name}\n{envelope[name]}\n" for name in names)


def sns_url(topic_arn: str) -> str | None:
    """Where SNS is for a topic, without a path; None for what is no topic."""
    arn = _ARN.fullmatch(topic_arn)
    return None if arn is None else f"https://sns.{arn[2]}.{aws_domain(arn[1])}"


def aws_domain(partition: str) -> str:
    """What the names of AWS's servers end with."""
    return "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"


def instant(text: object) -> datetime | None:
    """An instant as AWS writes it, such as 2026-11-22T08:00:00.123Z; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text)
        return None if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _is_signed(key: RSAPublicKey, signature: bytes, signed: bytes, algorithm: HashAlgorithm) -> bool:
    try:
        key.verify(signature, signed, PKCS1v15(), algorithm)
    except InvalidSignature:
        return False
    return True
