"""In whose name: the message's own, the service's best match, the provider's, ours."""

import pytest

from gateway.delivery.accepting.senders import DEFAULT_SENDERS, choose_sender, may_send_as
from gateway.domain.recipients import Channel
from gateway.ports import SenderIdentity

E = Channel.EMAIL


def _identity(sender: str, country: str | None = None, locale: str | None = None) -> SenderIdentity:
    return SenderIdentity(channel=E, sender=sender, country=country, locale=locale)


ANY = _identity("Shop <shop@example.org>")
FRANCE = _identity("Boutique <fr@example.org>", country="FR")
FRENCH = _identity("Boutique <francais@example.org>", locale="fr")
CANADIAN = _identity("Boutique <canada@example.org>", locale="fr-CA")
BOTH = _identity("Boutique <both@example.org>", country="FR", locale="fr")
SMS = SenderIdentity(channel=Channel.SMS, sender="+33700000000")
ALL = (ANY, FRANCE, FRENCH, CANADIAN, BOTH, SMS)


@pytest.mark.parametrize(
    ("requested", "identities", "reader", "of_provider", "expected"),
    [
        pytest.param(None, (), (None, None), None, DEFAULT_SENDERS[E], id="ours when nobody names one"),
        pytest.param(None, (), (None, None), "us@example.org", "us@example.org", id="the provider's"),
        pytest.param(None, ALL, (None, None), "us@example.org", ANY.sender, id="the service's before the provider's"),
        pytest.param(None, ALL, ("FR", "de"), None, FRANCE.sender, id="by country"),
        pytest.param(None, ALL, ("CA", "fr-CA"), None, CANADIAN.sender, id="by the exact locale"),
        pytest.param(None, ALL, ("CH", "fr-CH"), None, FRENCH.sender, id="by the locale's language"),
        pytest.param(None, ALL, ("FR", "fr"), None, BOTH.sender, id="by both"),
        pytest.param(None, (FRANCE,), ("DE", "de"), None, DEFAULT_SENDERS[E], id="never another country's"),
        pytest.param(
            "shop@EXAMPLE.org", ALL, ("FR", "fr"), None, ANY.sender, id="the message's own, as the service has it"
        ),
        pytest.param("+33700000000", ALL, (None, None), None, ANY.sender, id="another channel's does not serve"),
    ],
)
def test_the_sender_is_the_best_that_somebody_named(
    requested: str | None,
    identities: tuple[SenderIdentity, ...],
    reader: tuple[str | None, str | None],
    of_provider: str | None,
    expected: str,
) -> None:
    country, locale = reader

    chosen = choose_sender(
        E, requested=requested, identities=identities, country=country, locale=locale, of_provider=of_provider
    )

    assert chosen == expected


@pytest.mark.parametrize(
    ("requested", "allowed"),
    [
        pytest.param("Shop <shop@example.org>", True, id="as it is written"),
        pytest.param("shop@example.org", True, id="by its bare address"),
        pytest.param("CEO <shop@example.org>", False, id="another name over the address"),
        pytest.param("other@example.org", False, id="another address"),
        pytest.param("+33700000000", False, id="a number for an e-mail"),
    ],
)
def test_only_the_services_own_senders_are_allowed(requested: str, allowed: bool) -> None:
    assert may_send_as(requested, [E], ALL) == allowed
