"""What the answers of several devices come to."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.devices import condemned, together
from gateway.domain.messages import DeviceResult, Outcome, SendResult
from gateway.domain.preferences import SuppressionReason
from gateway.domain.recipients import Channel, PushDevice, PushPlatform
from providers.conformance.suite import make_envelope

DEVICES = tuple(PushDevice(platform=PushPlatform.FCM, token=f"token-{number}") for number in range(3))


def told(*fates: str) -> tuple[DeviceResult, ...]:
    return tuple(DeviceResult(platform="fcm", status=fate) for fate in fates)


@settings(max_examples=50)
@given(st.lists(st.sampled_from(Outcome), min_size=1, max_size=5).flatmap(st.permutations))
def test_one_device_that_was_reached_is_enough_and_what_may_have_been_taken_is_never_forgotten(
    outcomes: list[Outcome],
) -> None:
    outcome = together([SendResult(outcome=one) for one in outcomes]).outcome

    reached = {Outcome.SENT, Outcome.DELIVERED}
    assert (outcome in reached) == bool(reached & set(outcomes))
    assert outcome is not Outcome.UNKNOWN or not reached & set(outcomes)
    if not reached & set(outcomes):
        assert (outcome is Outcome.UNKNOWN) == (Outcome.UNKNOWN in outcomes)


def test_the_longest_wait_counts() -> None:
    waits = [SendResult(outcome=Outcome.THROTTLED, retry_after_seconds=wait) for wait in (3.0, 60.0, None)]

    assert together(waits).retry_after_seconds == 60.0


def test_of_several_devices_those_are_condemned_of_which_it_is_told() -> None:
    envelope = make_envelope(Channel.PUSH, devices=DEVICES)
    result = SendResult(outcome=Outcome.SENT, devices=told("invalid_recipient", "sent", "opted_out", "skipped"))

    assert list(condemned(envelope, result)) == [
        ("token-0", SuppressionReason.BOUNCE),
        ("token-2", SuppressionReason.STOP),
    ]


def test_of_several_devices_none_is_condemned_by_an_answer_for_all() -> None:
    envelope = make_envelope(Channel.PUSH, devices=DEVICES)

    assert list(condemned(envelope, SendResult(outcome=Outcome.INVALID_RECIPIENT))) == []


def test_of_a_single_address_the_answer_itself_tells() -> None:
    envelope = make_envelope(Channel.SMS)

    fates = {outcome: list(condemned(envelope, SendResult(outcome=outcome))) for outcome in Outcome}

    assert {outcome: fate for outcome, fate in fates.items() if fate} == {
        Outcome.INVALID_RECIPIENT: [("+33612345678", SuppressionReason.BOUNCE)],
        Outcome.OPTED_OUT: [("+33612345678", SuppressionReason.STOP)],
    }
