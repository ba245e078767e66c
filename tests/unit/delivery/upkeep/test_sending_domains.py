"""What receivers think of a sending domain, from the records that they would find."""

from collections.abc import Mapping, Sequence

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.delivery.upkeep.sending_domains import SendingDomain, SigningKey, check_domain, public_half
from gateway.domain.checkup import Verdict

SHOP = SendingDomain(name="shop.example")
GOOD: Mapping[str, Sequence[str]] = {
    "shop.example": ["some-site-verification=1", "v=spf1 include:relay.example -all"],
    "relay.example": ["v=spf1 ip4:192.0.2.0/24 ~all"],
    "_dmarc.shop.example": ["v=DMARC1; p=reject; rua=mailto:reports@shop.example"],
    "s._domainkey.shop.example": ["v=DKIM1; k=rsa; p=AAAA"],
}
KEY = SigningKey(domain="shop.example", selector="s", public="AAAA")


class Zone:
    """Names as a test has them; a name that is None cannot be asked."""

    def __init__(self, records: Mapping[str, Sequence[str] | None], mail: bool | None = True) -> None:
        self._records = records
        self._mail = mail

    async def texts(self, name: str) -> Sequence[str] | None:
        return self._records.get(name, ())

    async def takes_mail(self, name: str) -> bool | None:
        return self._mail


async def verdicts(domain: SendingDomain = SHOP, **changes: Sequence[str] | None) -> dict[str, Verdict]:
    """By check; `changes` name the records by `spf`, `dmarc`, `dkim` and `relay`."""
    places = {
        "spf": "shop.example",
        "dmarc": "_dmarc.shop.example",
        "dkim": "s._domainkey.shop.example",
        "relay": "relay.example",
    }
    records = {**GOOD, **{places[name]: texts for name, texts in changes.items()}}
    return {one.check: one.verdict for one in await check_domain(domain, Zone(records))}


async def test_a_domain_that_receivers_believe_is_found_so() -> None:
    found = await verdicts(SendingDomain(name="shop.example", keys=(KEY,)))

    assert found == {"spf": Verdict.OK, "dkim": Verdict.OK, "dmarc": Verdict.OK}


@pytest.mark.parametrize(
    ("texts", "verdict"),
    [
        pytest.param([], Verdict.ERROR, id="none"),
        pytest.param(["v=spf10 -all"], Verdict.ERROR, id="another version"),
        pytest.param(["v=spf1 -all", "v=spf1 ~all"], Verdict.ERROR, id="two"),
        pytest.param(["v=spf1 +all"], Verdict.ERROR, id="everybody"),
        pytest.param(["v=spf1 mx all"], Verdict.ERROR, id="everybody, without a sign"),
        pytest.param(["v=spf1 a mx ?all"], Verdict.WARNING, id="says nothing of the others"),
        pytest.param(["v=spf1 a mx"], Verdict.WARNING, id="no end"),
        pytest.param(["V=SPF1 A -ALL"], Verdict.OK, id="capitals"),
        pytest.param(["v=spf1 redirect=relay.example"], Verdict.OK, id="another domain's"),
        pytest.param(["v=spf1 include:nobody.example -all"], Verdict.ERROR, id="includes what is not there"),
        pytest.param(["v=spf1 include:shop.example -all"], Verdict.ERROR, id="includes itself"),
        pytest.param(["v=spf1 " + "a " * 10 + "-all"], Verdict.OK, id="ten look-ups"),
        pytest.param(["v=spf1 " + "a " * 10 + "include:relay.example -all"], Verdict.ERROR, id="eleven look-ups"),
        pytest.param(["v=spf1 exists:%{i}.ok.example -all"], Verdict.OK, id="a macro"),
        pytest.param(None, Verdict.WARNING, id="nobody answers"),
    ],
)
async def test_an_spf_record_is_looked_at_as_receivers_do(texts: Sequence[str] | None, verdict: Verdict) -> None:
    assert (await verdicts(spf=texts))["spf"] is verdict


@pytest.mark.parametrize(
    ("texts", "verdict"),
    [
        pytest.param([], Verdict.ERROR, id="none"),
        pytest.param(["v=DKIM1; p="], Verdict.ERROR, id="revoked"),
        pytest.param(["v=DKIM1; p=BBBB"], Verdict.ERROR, id="another key"),
        pytest.param(["v=DKIM1; p=AA AA"], Verdict.OK, id="with spaces"),
        pytest.param(["v=DKIM1; t=y:s; p=AAAA"], Verdict.WARNING, id="tried out"),
        pytest.param(None, Verdict.WARNING, id="nobody answers"),
    ],
)
async def test_the_key_in_the_dns_must_be_the_one_that_signs(texts: Sequence[str] | None, verdict: Verdict) -> None:
    assert (await verdicts(SendingDomain(name="shop.example", keys=(KEY,)), dkim=texts))["dkim"] is verdict


async def test_a_key_of_others_may_stand_elsewhere_and_none_at_all_is_noted() -> None:
    theirs = SigningKey(domain="shop.example", selector="s1", public=None)

    assert (await verdicts(SendingDomain(name="shop.example", keys=(theirs,))))["dkim"] is Verdict.WARNING
    assert (await verdicts())["dkim"] is Verdict.WARNING


@pytest.mark.parametrize(
    ("texts", "verdict"),
    [
        pytest.param([], Verdict.ERROR, id="none"),
        pytest.param(["v=DMARC1; p=none"], Verdict.WARNING, id="nothing is done"),
        pytest.param(["v=DMARC1; p=quarantine"], Verdict.OK, id="quarantine"),
        pytest.param(["v=DMARC1"], Verdict.ERROR, id="no policy"),
        pytest.param(["v=DMARC1; p=reject", "v=DMARC1; p=none"], Verdict.ERROR, id="two"),
        pytest.param(["another text"], Verdict.ERROR, id="no record of it"),
        pytest.param(None, Verdict.WARNING, id="nobody answers"),
    ],
)
async def test_a_dmarc_record_must_ask_for_something(texts: Sequence[str] | None, verdict: Verdict) -> None:
    assert (await verdicts(dmarc=texts))["dmarc"] is verdict


@pytest.mark.parametrize(("record", "verdict"), [("p=reject", Verdict.OK), ("p=reject; sp=none", Verdict.WARNING)])
async def test_a_domain_below_another_has_its_policy(record: str, verdict: Verdict) -> None:
    zone = Zone({"_dmarc.shop.example": [f"v=DMARC1; {record}"], "news.shop.example": ["v=spf1 -all"]})

    found = await check_domain(SendingDomain(name="news.shop.example"), zone)

    assert {one.check: one.verdict for one in found}["dmarc"] is verdict


@pytest.mark.parametrize(
    ("mail", "verdict"), [(True, Verdict.OK), (False, Verdict.ERROR), (None, Verdict.WARNING)], ids=str
)
async def test_bounces_must_have_somewhere_to_come_to(mail: bool | None, verdict: Verdict) -> None:
    domain = SendingDomain(name="shop.example", takes_bounces=True)

    found = {one.check: one.verdict for one in await check_domain(domain, Zone(GOOD, mail))}

    assert found == {"spf": Verdict.OK, "bounces": verdict}


def test_the_public_half_of_a_key_is_what_the_dns_has() -> None:
    keys = (rsa.generate_private_key(65537, 1024), ed25519.Ed25519PrivateKey.generate())

    halves = [
        public_half(one.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()) for one in keys
    ]

    assert [None if one is None else len(one) for one in halves] == [216, 44]
    assert public_half("nonsense") is None
