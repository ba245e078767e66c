"""Which addresses of browsers are taken in: https, and inside ones, of which the settings judge at the call."""

import pytest

from gateway.delivery.accepting.recipients import check_recipient
from gateway.domain.recipients import JsonValue, PushDevice, PushPlatform
from tests.factories import make_recipient


@pytest.mark.parametrize(
    ("endpoint", "wrong"),
    [
        ("https://push.example/1", []),
        ("http://127.0.0.1:8099/1", []),
        ("http://[::1]:8099/1", []),
        ("http://localhost:8099/1", []),
        ("http://push.example/1", ["/to/push/0/subscription"]),
        ("http://93.184.215.14/1", ["/to/push/0/subscription"]),
        ("http://[::1/1", ["/to/push/0/subscription"]),
        ("ftp://127.0.0.1/1", ["/to/push/0/subscription"]),
        (7, ["/to/push/0/subscription"]),
    ],
)
def test_a_subscription_without_tls_is_taken_in_for_an_inside_host_alone(endpoint: JsonValue, wrong: list[str]) -> None:
    device = PushDevice(platform=PushPlatform.WEBPUSH, subscription={"endpoint": endpoint})

    _, problems = check_recipient(make_recipient(push=(device,)), "/to")

    assert [problem.pointer for problem in problems] == wrong
