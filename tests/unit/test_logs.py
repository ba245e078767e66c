"""Logs: one line for an event, and nothing of what a message holds."""

import json

import pytest
import structlog

from gateway.logs import configure_logs
from gateway.settings import LogSettings


def fail(address: str) -> None:
    raise RuntimeError(f"no words on {len(address)} characters")


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_traceback_shows_no_values(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogSettings.model_validate({"format": form}))

    try:
        fail("amina.benali@" + "example.org")
    except RuntimeError:
        structlog.get_logger().exception("job.failed", delivery="dlv_1")

    shown = capsys.readouterr().err
    assert "RuntimeError: no words on 24 characters" in shown
    assert "amina.benali@example.org" not in shown


def test_an_event_is_one_line_of_json_with_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogSettings(format="json"))

    structlog.get_logger().debug("too.quiet")
    structlog.get_logger().info("message.accepted", message="msg_1")

    [line] = capsys.readouterr().err.splitlines()
    assert json.loads(line) | {"timestamp": ""} == {
        "event": "message.accepted",
        "level": "info",
        "message": "msg_1",
        "timestamp": "",
    }
