"""DKIM signatures: what is signed holds, and what was changed on the way is seen."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.messages import EmailContent
from gateway.errors import ConfigurationError
from gateway.rendering.email import build_mime
from providers.dkim import DkimKey, DkimSigner
from tests.dkim_oracle import verified
from tests.factories import NOW

RSA, ED25519 = generate_private_key(65537, 2048), Ed25519PrivateKey.generate()
SENDER = "shop@news.example.com"


def pem(key: RSAPrivateKey | Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


KEYS = (
    DkimKey(domain="example.com", selector="rsa", pem=pem(RSA)),
    DkimKey(domain="example.com", selector="ed", pem=pem(ED25519)),
)
SIGNER = DkimSigner("providers.main.dkim", KEYS)


def published(name: str) -> str:
    """What the DNS would answer."""
    rsa, ed25519 = RSA.public_key(), ED25519.public_key()
    return {
        "rsa._domainkey.example.com": "v=DKIM1; k=rsa; p="
        + base64.b64encode(rsa.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode(),
        "ed._domainkey.example.com": "v=DKIM1; k=ed25519; p="
        + base64.b64encode(ed25519.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode(),
    }[name]


def email(text: str = "Hello", subject: str = "Bonjour à tous") -> bytes:
    content = EmailContent(
        subject=subject,
        preheader="",
        html=f"<p>{text}</p>",
        text=text,
        locale="fr",
        headers=(
            ("List-Unsubscribe", "<https://example.com/u/" + "x" * 120 + ">"),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ),
    )
    return build_mime(
        content, sender=f"Shop <{SENDER}>", to="a@example.org", message_id="<m@e.com>", date=NOW, boundary_seed="1"
    )


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=300))
def test_both_signatures_of_any_text_hold(text: str) -> None:
    signed = SIGNER.sign(email(text), SENDER)

    assert verified(signed, published) == [True, True]


@pytest.mark.parametrize("ending", [b"", b"\r\n", b"\r\n\r\n \t\r\n", b"  a \t b  \r\n\r\n"])
def test_ends_of_a_body_are_hashed_as_the_standard_says(ending: bytes) -> None:
    mail = b"From: shop@example.com\r\nSubject:  a\r\n\tfolded   one \r\n\r\n" + ending

    assert verified(SIGNER.sign(mail, SENDER), published) == [True, True]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"Hello", b"Hullo"),
        (b"List-Unsubscribe=One-Click", b"List-Unsubscribe=Two-Click"),
        (b"MIME-Version", b"Subject: another\r\nMIME-Version"),
        (b"MIME-Version", b"Reply-To: thief@example.net\r\nMIME-Version"),
    ],
    ids=["body", "header", "second subject", "added header"],
)
def test_what_is_changed_on_the_way_is_seen(before: bytes, after: bytes) -> None:
    signed = SIGNER.sign(email(), SENDER)

    assert verified(signed.replace(before, after, 1), published) == [False, False]


def test_a_key_signs_only_what_its_domain_and_those_below_it_send() -> None:
    mail = email()

    assert SIGNER.sign(mail, "shop@badexample.com") == mail
    assert SIGNER.sign(mail, "shop@EXAMPLE.com").count(b"DKIM-Signature:") == 2


@pytest.mark.parametrize(
    "text", ["", "no key", pem(ec.generate_private_key(ec.SECP256R1()))], ids=["empty", "no PEM", "another kind"]
)
def test_a_key_that_cannot_sign_stops_the_start(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^providers.main.dkim: "):
        DkimSigner("providers.main.dkim", (DkimKey(domain="example.com", selector="s", pem=text),))


def test_no_line_of_a_signature_is_too_long_and_no_key_is_shown() -> None:
    head = SIGNER.sign(email(), SENDER).partition(b"From:")[0]

    assert max(map(len, head.split(b"\r\n"))) <= 78
    assert "PRIVATE" not in repr(KEYS)


PRINTED = """\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
"""
PRINTED_KEYS = {
    "brisbane._domainkey.football.example.com": "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    "test._domainkey.football.example.com": (
        "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qh"
        "dR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+"
        "PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"
    ),
}


def test_what_says_so_holds_the_message_that_rfc_8463_prints_for_signed() -> None:
    mail = PRINTED.replace("\n", "\r\n").encode()

    assert verified(mail, PRINTED_KEYS.__getitem__) == [True, True]
    assert verified(mail.replace(b"dinner", b"supper"), PRINTED_KEYS.__getitem__) == [False, False]
