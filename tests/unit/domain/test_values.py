"""Values never change, compare by what they hold, and keep to themselves what logs must not show."""

import copy
import pickle

import pytest
from rich.pretty import pretty_repr

from gateway.domain.keys import make_token
from gateway.domain.messages import SendRequest
from gateway.domain.recipients import EmailAddress, Recipient
from gateway.domain.values import replace
from tests.factories import NOW, make_message, make_recipient


def test_a_value_cannot_be_changed() -> None:
    person = make_recipient()

    with pytest.raises(AttributeError):
        person.email = EmailAddress("other@example.org")  # type: ignore[misc]


def test_a_value_takes_its_fields_by_name_only() -> None:
    with pytest.raises(TypeError):
        Recipient("user-42")  # type: ignore[call-arg, arg-type]


def test_a_value_knows_no_other_fields() -> None:
    with pytest.raises(TypeError):
        Recipient(mail="amina@example.org")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        replace(make_recipient(), mail="amina@example.org")


def test_values_compare_by_what_they_hold() -> None:
    assert Recipient(locale="fr") == Recipient(locale="fr")
    assert Recipient(locale="fr") != Recipient(locale="de")


def test_a_copy_with_a_change_leaves_the_original_alone() -> None:
    first = Recipient(locale="fr", country="CA")

    second = replace(first, locale="de")

    assert (first.locale, second.locale, second.country) == ("fr", "de", "CA")


def test_mappings_left_out_are_not_shared() -> None:
    assert Recipient().attributes is not Recipient().attributes


@pytest.mark.parametrize("again", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_values_can_be_copied_and_pickled(again: object) -> None:
    message = make_message()

    assert callable(again)
    assert again(message) == message


def test_secrets_do_not_show_in_a_value_s_text() -> None:
    request = SendRequest(template="login-code", to=make_recipient(), data={"code": "481516"})
    message = make_message(secrets={"code": "481516"})
    token = make_token(live=True, now=NOW)

    for value, secret in ((request, "481516"), (message, "481516"), (token, token.secret)):
        assert secret not in repr(value)
        assert secret not in pretty_repr(value)


def test_what_may_be_seen_shows_in_a_value_s_text() -> None:
    assert "order-shipped" in repr(make_message())
    assert "order-shipped" in pretty_repr(make_message())
