"""Every wrong field is named once, by its place in the body and in our own words."""

import json
from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.web.schemas.messages import SendShape
from gateway.web.schemas.recipients import RecipientShape
from gateway.web.validation import validate

SOUND: dict[str, Any] = {"template": "order-shipped", "to": {"email": "amina@example.org"}}


def problems_of(body: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidRequest) as refused:
        validate(SendShape, body)
    return [(problem.pointer, problem.code) for problem in refused.value.problems]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"template": 5}, [("/template", "wrong_type")]),
        ({"template": None}, [("/template", "wrong_type")]),
        ({"unheard": 1}, [("/unheard", "unknown_field")]),
        ({"a/b~c": 1}, [("/a~1b~0c", "unknown_field")]),
        ({"to": "amina"}, [("/to", "wrong_type")]),
        ({"to": {"emial": "x"}}, [("/to/emial", "unknown_field")]),
        ({"channels": ["email", "fax"]}, [("/channels/1", "not_one_of")]),
        ({"channels": ["email", "email"]}, [("/channels", "repeated")]),
        ({"channels": []}, [("/channels", "too_short")]),
        ({"remember": "yes"}, [("/remember", "wrong_type")]),
        ({"strategy": "best"}, [("/strategy", "not_one_of")]),
        ({"send_at": "tomorrow"}, [("/send_at", "wrong_format")]),
        ({"send_at": "2026-12-01T09:00:00"}, [("/send_at", "wrong_format")]),
        ({"send_at": "2026-02-30T09:00:00Z"}, [("/send_at", "wrong_format")]),
        ({"send_at": "9999-12-31T23:59:59Z"}, [("/send_at", "wrong_format")]),
        ({"send_at": "0001-01-01T00:00:00+14:00"}, [("/send_at", "wrong_format")]),
        ({"send_at": 1700000000}, [("/send_at", "wrong_format")]),
        ({"send_at": {"local": "2026-12-01T09:00"}}, [("/send_at/timezone", "missing")]),
        ({"send_at": {"local": "2026-12-01T09:00Z", "timezone": "recipient"}}, [("/send_at/local", "wrong_format")]),
        ({"send_at": {"local": "2026-12-01T09:00", "timezone": "x", "y": 1}}, [("/send_at/y", "unknown_field")]),
        ({"tags": ["a", "b\nc"]}, [("/tags/1", "wrong_format")]),
        ({"tags": ["x"] * 21}, [("/tags", "too_long")]),
        ({"from": "a\r\nBcc: b@example.org"}, [("/from", "wrong_format")]),
        ({"sender": "a@example.org"}, [("/sender", "unknown_field")]),
        (
            {"attachments": [{"filename": "a", "content_type": "text/plain", "content": "?"}]},
            [("/attachments/0/content", "wrong_format")],
        ),
        ({"to": {"push": [{"platform": "fcm"}]}}, [("/to/push/0", "wrong_address")]),
        ({"to": {"push": [{"platform": "sms", "token": "x"}]}}, [("/to/push/0/platform", "not_one_of")]),
    ],
    ids=lambda value: json.dumps(value)[:50],
)
def test_a_wrong_field_is_named(change: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert problems_of({**SOUND, **change}) == expected


def test_all_wrong_fields_are_named_at_once() -> None:
    assert problems_of({"to": {"email": 1, "phone": 2}, "tags": "x"}) == [
        ("/template", "missing"),
        ("/to/email", "wrong_type"),
        ("/to/phone", "wrong_type"),
        ("/tags", "wrong_type"),
    ]


def test_messages_do_not_repeat_what_was_sent() -> None:
    with pytest.raises(InvalidRequest) as refused:
        validate(SendShape, {**SOUND, "priority": "s3cret-value", "remember": "s3cret-value"})

    assert "s3cret-value" not in "".join(problem.message for problem in refused.value.problems)


def test_a_sound_body_becomes_a_request() -> None:
    body = {
        **SOUND,
        "to": {"id": "user-42", "push": [{"platform": "fcm", "token": "t"}], "locale": "fr-CA"},
        "from": "shop@example.org",
        "send_at": "2026-12-01T09:00:00.123456789+01:00",
        "attachments": [{"filename": "a.txt", "content_type": "text/plain", "content": "aGk="}],
    }

    request = validate(SendShape, body).to_domain(None)

    assert request.to.id == "user-42"
    assert request.to.push[0].token == "t"
    assert request.sender == "shop@example.org"
    assert str(request.send_at) == "2026-12-01 08:00:00.123456+00:00"
    assert request.attachments[0].content == b"hi"


def test_a_body_that_is_no_object_is_one_problem_at_the_root() -> None:
    assert problems_of([1, 2]) == [("", "wrong_type")]


def test_a_recipient_takes_no_id_in_its_body() -> None:
    with pytest.raises(InvalidRequest):
        validate(RecipientShape, {"id": "user-42"})


def test_what_a_field_should_be_is_said_without_the_names_of_our_classes() -> None:
    with pytest.raises(InvalidRequest) as refused:
        validate(SendShape, {"template": 5, "to": "amina", "tags": "a", "metadata": [], "remember": 1})

    said = {problem.pointer: problem.message for problem in refused.value.problems}
    assert said == {
        "/template": "Give a string.",
        "/to": "Give an object.",
        "/tags": "Give a list.",
        "/metadata": "Give an object.",
        "/remember": "Give true or false.",
    }
