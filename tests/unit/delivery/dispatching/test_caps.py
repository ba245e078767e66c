"""What a step tells the store of caps: whom it is for, what a hold rests on, and whether slots come free."""

from typing import Any

import pytest

from gateway.delivery.dispatching.caps import told
from gateway.domain.ids import DeliveryId
from gateway.domain.lifecycle import DeliveryStatus
from gateway.domain.messages import Lane, Outcome, SendResult
from gateway.domain.preferences import Category
from gateway.domain.recipients import Channel
from gateway.domain.slots import WaitingDelivery
from gateway.domain.values import replace
from gateway.ports import Step, StoredFacts
from tests.factories import NOW, make_attempt, make_claim

S = DeliveryStatus
WAITING = WaitingDelivery(
    id=DeliveryId("dlv_2"),
    channel=Channel.SMS,
    category=Category.MARKETING,
    topic="offers",
    lane=Lane.NORMAL,
    created_at=NOW,
    due_at=NOW,
)


def step(status: DeliveryStatus, outcome: Outcome | None = None, *, before: DeliveryStatus = S.ACCEPTED) -> Step:
    """What a claim came to, after a call with that outcome or without one."""
    claim = make_claim()
    claim = replace(claim, delivery=replace(claim.delivery, status=before))
    attempt = None if outcome is None else make_attempt(result=SendResult(outcome=outcome))
    return Step(claim=claim, status=status, attempt=attempt)


def stored(**changes: Any) -> StoredFacts:
    return replace(StoredFacts(recipient=None, consents=(), suppressions=(), subjects=("amina",)), **changes)


@pytest.mark.parametrize(
    ("came_to", "frees"),
    [
        pytest.param(step(S.SENT, Outcome.SENT), False, id="sent"),
        pytest.param(step(S.DELIVERED, Outcome.DELIVERED), False, id="delivered"),
        pytest.param(step(S.UNKNOWN, Outcome.UNKNOWN), False, id="lost"),
        pytest.param(step(S.QUEUED, Outcome.UNKNOWN), False, id="lost-and-repeated"),
        pytest.param(step(S.UNKNOWN), False, id="left-unknown"),
        pytest.param(step(S.QUEUED, Outcome.TRANSIENT), True, id="retry"),
        pytest.param(step(S.FAILED, Outcome.REJECTED), True, id="refused"),
        pytest.param(step(S.SUPPRESSED, Outcome.OPTED_OUT), True, id="opted-out"),
        pytest.param(step(S.QUEUED), True, id="taken-back"),
        pytest.param(step(S.FAILED), True, id="not-rendered"),
    ],
)
def test_a_slot_is_given_back_unless_it_may_have_been_spent(came_to: Step, frees: bool) -> None:
    assert told(came_to, stored(), reserved=True).frees_slots is frees
    assert told(came_to, stored(), reserved=False).frees_slots is False


def test_a_hold_tells_whom_it_is_for_and_what_it_rests_on() -> None:
    facts = stored()

    held = told(step(S.HELD), facts, reserved=False)

    assert (held.subjects, held.seen, held.frees_slots) == (("amina",), facts, False)


def test_what_waited_and_will_not_go_frees_the_slot_that_was_kept_for_it() -> None:
    facts = stored(waiting=(WAITING,))

    ended = told(step(S.EXPIRED, before=S.HELD), facts, reserved=False)
    never_waited = told(step(S.SUPPRESSED), facts, reserved=False)
    still_waits = told(step(S.QUEUED, before=S.QUEUED), facts, reserved=False)

    assert (ended.frees_slots, never_waited.frees_slots, still_waits.frees_slots) == (True, False, False)
    assert still_waits.subjects == ("amina",)


def test_what_goes_at_once_tells_nothing() -> None:
    sent = step(S.SENT, Outcome.SENT)

    assert told(sent, stored(), reserved=True) is sent
    assert told(sent, None, reserved=True) is sent
