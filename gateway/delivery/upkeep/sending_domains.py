"""Whether receivers will believe a domain's mail: SPF (RFC 7208), DKIM (RFC 6376, 8463) and DMARC (RFC 7489).

What is asked of the DNS is what receivers ask. Who may send for the domain is for its owner to know: an SPF record is
checked for what breaks it or makes it worthless, not for the addresses in it.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from gateway.domain.checkup import Finding, Verdict
from gateway.ports import Names

_LOOKUPS: Final = 10
"""A receiver makes no more for one SPF record, and fails it (RFC 7208 section 4.6.4)."""
_ASKING: Final = frozenset({"include", "a", "mx", "ptr", "exists"})
_TREE: Final = 8
"""How many labels are looked up at most for a DMARC record of a parent domain."""
_SILENT: Final = "The DNS could not be asked."


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key of ours that signs what a domain sends."""

    domain: str
    selector: str
    public: str | None
    """As the DNS must have it, in Base64; None where others sign, by a key that we do not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingDomain:
    """A domain that stands in senders."""

    name: str
    keys: tuple[SigningKey, ...] = ()
    """Those that are known to sign for it."""
    takes_bounces: bool = False
    """It is where mail comes back to, and in no sender."""


async def check_domain(domain: SendingDomain, names: Names) -> Sequence[Finding]:
    """Look at all that receivers look at."""
    spf = _finding(domain, "spf", await _spf(domain.name, names))
    if domain.takes_bounces:
        return [spf, _finding(domain, "bounces", await _bounces(domain.name, names))]
    dkim = [_finding(domain, "dkim", told) for told in await _dkim(domain, names)]
    return [spf, *dkim, _finding(domain, "dmarc", await _dmarc(domain.name, names))]


_Told = tuple[Verdict, str]
_FINE: Final[_Told] = (Verdict.OK, "")


def _finding(domain: SendingDomain, check: str, told: _Told) -> Finding:
    return Finding(subject=domain.name, check=check, verdict=told[0], detail=told[1])


async def _spf(name: str, names: Names) -> _Told:
    record, objection = await _spf_record(name, names)
    if record is None:
        return objection
    terms = record.lower().split()[1:]
    asked, broken = await _count(name, terms, names, {name})
    if broken is not None:
        return broken
    if asked > _LOOKUPS:
        return Verdict.ERROR, f"It takes {asked} look-ups, and receivers make no more than {_LOOKUPS}."
    last = next((term for term in terms if term.lstrip("+-~?") == "all"), None)
    if last in ("all", "+all"):
        return Verdict.ERROR, "It allows everybody to send for the domain: end it with -all or ~all."
    if last == "?all" or (last is None and not any(term.startswith("redirect=") for term in terms)):
        return Verdict.WARNING, "It says nothing of those who are not named: end it with -all or ~all."
    return _FINE


async def _spf_record(name: str, names: Names) -> tuple[str | None, _Told]:
    texts = await names.texts(name)
    if texts is None:
        return None, (Verdict.WARNING, _SILENT)
    records = [text for text in texts if text.lower().split(" ")[0] == "v=spf1"]
    if not records:
        return None, (Verdict.ERROR, f"{name} has no TXT record that begins with v=spf1.")
    if len(records) > 1:
        return None, (Verdict.ERROR, f"{name} has {len(records)} SPF records, which counts as none.")
    return records[0], _FINE


async def _count(name: str, terms: Sequence[str], names: Names, seen: set[str]) -> tuple[int, _Told | None]:
    """How many look-ups the terms take, those of what they include counted in; or what is wrong with them."""
    asked = 0
    for term in terms:
        mechanism = term.lstrip("+-~?")
        kind = mechanism.split(":")[0].split("/")[0]
        target = mechanism.partition("=")[2] if mechanism.startswith("redirect=") else mechanism.partition(":")[2]
        if kind not in _ASKING and not mechanism.startswith("redirect="):
            continue
        asked += 1
        if (kind != "include" and not mechanism.startswith("redirect=")) or "%" in target:
            continue
        if target in seen:
            return asked, (Verdict.ERROR, f"{name} includes {target}, which leads back to it.")
        if asked > _LOOKUPS:
            break
        record, objection = await _spf_record(target, names)
        if record is None:
            return asked, objection
        inner, broken = await _count(target, record.lower().split()[1:], names, seen | {target})
        asked += inner
        if broken is not None:
            return asked, broken
    return asked, None


async def _dkim(domain: SendingDomain, names: Names) -> Sequence[_Told]:
    if not domain.keys:
        return [(Verdict.WARNING, "No key is known to sign for it; where a provider signs, look there.")]
    return [await _key(key, names) for key in domain.keys]


async def _key(key: SigningKey, names: Names) -> _Told:
    """Whether the DNS has the public half of a key (RFC 6376 section 3.6.1)."""
    place = f"{key.selector}._domainkey.{key.domain}"
    texts = await names.texts(place)
    if texts is None:
        return Verdict.WARNING, _SILENT
    records = [tags for text in texts if "p" in (tags := _tags(text))]
    if not records:
        if key.public is None:
            return Verdict.WARNING, f"{place} has no key; where the provider signs by another selector, look there."
        return Verdict.ERROR, f"{place} has no key."
    return _shown_key(records[0], key, place)


def _shown_key(record: Mapping[str, str], key: SigningKey, place: str) -> _Told:
    shown = "".join(record["p"].split())
    if not shown:
        return Verdict.ERROR, f"The key at {place} is revoked."
    if key.public is not None and shown != key.public:
        return Verdict.ERROR, f"The key at {place} is not the public half of the one that signs."
    if "y" in record.get("t", "").split(":"):
        return Verdict.WARNING, f"The key at {place} says that it is only tried out (t=y)."
    return Verdict.OK, key.selector


async def _dmarc(name: str, names: Names) -> _Told:
    """Of the domain itself, or else of the nearest parent that has one."""
    labels = name.split(".")[-_TREE:]
    for start in range(max(len(labels) - 1, 1)):
        place = ".".join(["_dmarc", *labels[start:]])
        texts = await names.texts(place)
        if texts is None:
            return Verdict.WARNING, _SILENT
        records = [tags for text in texts if (tags := _tags(text)).get("v") == "DMARC1"]
        if len(records) > 1:
            return Verdict.ERROR, f"{place} has {len(records)} records, which counts as none."
        if records:
            return _policy(records[0], place, inherited=start > 0)
    return Verdict.ERROR, f"There is no record at _dmarc.{name}; large receivers take no bulk mail without."


def _policy(record: Mapping[str, str], place: str, *, inherited: bool) -> _Told:
    wished = record.get("sp", record.get("p", "")) if inherited else record.get("p", "")
    if wished.lower() not in ("none", "quarantine", "reject"):
        return Verdict.ERROR, f"The record at {place} names no policy: p=none, quarantine or reject."
    if wished.lower() == "none":
        return Verdict.WARNING, f"{place} has receivers do nothing about mail that others send in its name (p=none)."
    return Verdict.OK, f"p={wished.lower()}"


async def _bounces(name: str, names: Names) -> _Told:
    taken = await names.takes_mail(name)
    if taken is None:
        return Verdict.WARNING, _SILENT
    return _FINE if taken else (Verdict.ERROR, f"{name} takes no mail: bounces to it are lost.")


def _tags(text: str) -> Mapping[str, str]:
    """`k=rsa; p=…` (RFC 6376 section 3.2)."""
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip() for name, found, value in pairs if found}


def public_half(pem: str) -> str | None:
    """What the DNS must have of a private key; None where it cannot be read, which the start says better."""
    try:
        public = load_pem_private_key(pem.encode(), None).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm, binascii.Error):
        return None
    if isinstance(public, Ed25519PublicKey):
        # RFC 8463 section 4: the key alone, without its wrapping.
        return base64.b64encode(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
    return base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
