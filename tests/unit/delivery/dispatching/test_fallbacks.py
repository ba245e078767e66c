"""Languages that were given up: every time counted, every cause told once, and never with what the caller sent."""

from structlog.testing import capture_logs

from gateway.delivery.dispatching.fallbacks import FallbackReport
from gateway.domain.recipients import Channel
from gateway.metrics import Metrics
from gateway.rendering.renderer import Fallback

LACKING = Fallback(template="note", channel=None, locale="fr", reason="A note")
FAILED = Fallback(template="note", channel=Channel.SMS, locale="fr", reason="sms/body.txt: 'Amina' is no number")


def test_each_cause_is_told_once_and_counted_each_time() -> None:
    metrics = Metrics()
    report = FallbackReport(metrics)

    with capture_logs() as told:
        for _ in range(3):
            report(LACKING)

    assert [(line["locale"], line["lacks"]) for line in told] == [("fr", "A note")]
    assert metrics.registry.get_sample_value("heliograph_locale_fallbacks_total", {"template": "note"}) == 3


def test_what_failed_for_the_data_is_told_without_the_data() -> None:
    with capture_logs() as told:
        FallbackReport(Metrics())(FAILED)

    assert [(line["channel"], line["lacks"]) for line in told] == [(Channel.SMS, None)]
