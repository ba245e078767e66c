"""The chain of the ledger: whole as it was written, and broken by the smallest change; and what of many lines holds."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.audit import RECIPIENT
from gateway.domain.ids import ConsentId, RecipientId, ServiceId
from gateway.domain.ledger import ORIGIN, Head, Line, blanked, chain, hash_line, head_after
from gateway.domain.ledger_check import ChainCheck, Fault, Finding, Kept
from gateway.domain.preferences import Consent, ConsentState, consents_at
from gateway.domain.pseudonyms import Pseudonyms
from gateway.domain.recipients import Channel
from gateway.domain.values import replace
from tests.factories import NOW, SERVICE, make_consent

NAMING = Pseudonyms(b"a secret of the store").of_person
DAY = timedelta(days=1)


def said(number: int, **changes: Any) -> Consent:
    whole = {
        "id": ConsentId(f"cns_{number}"),
        "wording": f"Yes {number}",
        "wording_version": "3",
        "locale": "fr",
        "evidence": {"ip": "192.0.2.1", "n": number},
        "actor": RECIPIENT,
        "requested_at": NOW - 3 * DAY,
        "confirmed_at": NOW - 2 * DAY,
    }
    return make_consent(**{**whole, **changes})


def chained(consents: Iterable[Consent]) -> list[Line]:
    lines: list[Line] = []
    head = Head(service_id=SERVICE)
    for consent in consents:
        lines.append(chain(consent, NAMING(consent.service_id, consent.recipient_id), f"salt{len(lines)}", head))
        head = head_after(lines[-1])
    return lines


def findings(lines: Sequence[Line], head: Head) -> tuple[Finding, ...]:
    check = ChainCheck(head, NAMING)
    for seq, line in enumerate(lines, 1):
        check.see(Kept(line=line, seq=seq))
    return check.end(head)


CHAIN = chained(said(number) for number in range(5))
HEAD = head_after(CHAIN[-1])

CHANGED: dict[str, Any] = {
    "id": ConsentId("cns_x"),
    "service_id": ServiceId("svc_x"),
    "recipient_id": RecipientId("user-7"),
    "channel": Channel.SMS,
    "topic": "news",
    "state": ConsentState.DENIED,
    "source": "elsewhere",
    "wording": "No",
    "wording_version": "4",
    "locale": "de",
    "evidence": {"ip": "192.0.2.1", "n": 3},
    "actor": "key:key_x",
    "at": NOW,
    "recorded_at": NOW,
    "requested_at": NOW,
    "confirmed_at": NOW,
}
CHANGED_LINE: dict[str, Any] = {
    "subject": "0" * 32,
    "wording_digest": "0" * 64,
    "evidence_salt": "pepper",
    "evidence_digest": "0" * 64,
    "previous_hash": ORIGIN,
    "hash": "0" * 64,
}


def test_a_chain_is_whole_as_it_was_written() -> None:
    assert findings(CHAIN, HEAD) == ()
    assert [line.previous_hash for line in CHAIN] == [ORIGIN, *(line.hash for line in CHAIN[:-1])]


def test_every_field_of_a_line_is_tried() -> None:
    assert set(CHANGED) == set(Consent.__struct_fields__)
    assert {*CHANGED_LINE, "consent", "position"} == set(Line.__struct_fields__)


@pytest.mark.parametrize("field", CHANGED)
@pytest.mark.parametrize("place", [0, 2, 4], ids=["first", "middle", "last"])
def test_whatever_is_changed_in_a_line_names_that_line(field: str, place: int) -> None:
    line = CHAIN[place]
    touched = replace(line, consent=replace(line.consent, **{field: CHANGED[field]}))

    found = findings([*CHAIN[:place], touched, *CHAIN[place + 1 :]], HEAD)

    assert [(one.position, one.fault) for one in found] == [(place + 1, Fault.CHANGED)]


@pytest.mark.parametrize(
    "field", ["wording", "wording_version", "locale", "evidence", "actor", "requested_at", "confirmed_at"]
)
def test_whatever_is_taken_out_of_a_line_names_that_line(field: str) -> None:
    touched = replace(CHAIN[2], consent=replace(CHAIN[2].consent, **{field: None}))

    found = findings([*CHAIN[:2], touched, *CHAIN[3:]], HEAD)

    assert [(one.position, one.fault) for one in found] == [(3, Fault.CHANGED)]


@pytest.mark.parametrize("field", CHANGED_LINE)
@pytest.mark.parametrize("place", [1, 2, 4], ids=["early", "middle", "last"])
def test_whatever_is_changed_of_the_chain_itself_names_that_line(field: str, place: int) -> None:
    touched = replace(CHAIN[place], **{field: CHANGED_LINE[field]})

    found = findings([*CHAIN[:place], touched, *CHAIN[place + 1 :]], HEAD)

    assert [(one.position, one.fault) for one in found] == [(place + 1, Fault.CHANGED)]


def test_a_line_that_was_hashed_anew_is_found_by_the_one_after_it() -> None:
    denied = replace(CHAIN[2], consent=replace(CHAIN[2].consent, state=ConsentState.DENIED))
    forged = replace(denied, hash=hash_line(denied))
    last = replace(CHAIN[4], consent=replace(CHAIN[4].consent, state=ConsentState.DENIED))
    forged_last = replace(last, hash=hash_line(last))

    assert [one.position for one in findings([*CHAIN[:2], forged, *CHAIN[3:]], HEAD)] == [3]
    assert [one.position for one in findings([*CHAIN[:4], forged_last], HEAD)] == [5]


@given(st.sets(st.integers(0, 4), min_size=1))
@settings(max_examples=20)
def test_lines_that_are_gone_are_missed(gone: set[int]) -> None:
    left = [line for place, line in enumerate(CHAIN) if place not in gone]

    found = findings(left, HEAD)

    firsts = [place + 1 for place in sorted(gone) if place - 1 not in gone]
    assert [(one.position, one.fault) for one in found] == [(first, Fault.REMOVED) for first in firsts]


@given(st.permutations(range(5)).filter(lambda order: list(order) != sorted(order)))
@settings(max_examples=20)
def test_lines_that_changed_places_are_named(order: Sequence[int]) -> None:
    moved = [replace(CHAIN[place], position=number) for number, place in enumerate(order, 1)]

    found = findings(moved, HEAD)

    assert {one.position for one in found} == {n for n, place in enumerate(order, 1) if place != n - 1}
    assert {one.fault for one in found} == {Fault.REORDERED}


@given(st.sets(st.integers(0, 4)))
@settings(max_examples=10)
def test_erasing_people_leaves_a_whole_chain(erased: set[int]) -> None:
    left = [blanked(line) if place in erased else line for place, line in enumerate(CHAIN)]

    assert findings(left, HEAD) == ()


def test_evidence_of_low_variety_cannot_be_tried_out_once_it_is_erased() -> None:
    twice = chained([said(1), said(1, id=ConsentId("cns_2"))])

    assert twice[0].evidence_digest != twice[1].evidence_digest
    assert twice[0].wording_digest == twice[1].wording_digest
    assert blanked(twice[0]).evidence_salt is None


LINES = st.lists(
    st.builds(
        make_consent,
        channel=st.sampled_from(Channel),
        topic=st.sampled_from(["offers", "news"]),
        state=st.sampled_from(ConsentState),
        at=st.integers(0, 4).map(lambda day: NOW + day * DAY),
        recorded_at=st.integers(0, 4).map(lambda day: NOW + day * DAY),
    ),
    max_size=8,
)


def model(lines: Iterable[Consent], day: int) -> dict[tuple[str, str], str]:
    """The state at the end of a day, told day by day: the last day that says anything holds, its strictest word."""
    held: dict[tuple[str, str], str] = {}
    for today in range(day + 1):
        spoken: dict[tuple[str, str], set[str]] = {}
        for line in lines:
            if (line.at - NOW).days == today:
                spoken.setdefault((line.channel, line.topic), set()).add(line.state)
        for about, words in spoken.items():
            held[about] = next(word for word in ("denied", "pending", "granted") if word in words)
    return held


@given(LINES, st.integers(0, 4), st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_in_whatever_order_lines_were_recorded_the_state_of_any_day_is_the_same(
    lines: list[Consent], day: int, chance: Any
) -> None:
    shuffled = chance.sample(lines, len(lines))

    holding = consents_at(shuffled, NOW + day * DAY)

    assert {(line.channel, line.topic): line.state for line in holding} == model(lines, day)
    assert {(line.channel, line.topic): line.state for line in consents_at(lines)} == model(lines, 4)


@given(LINES, st.integers(0, 4))
@settings(max_examples=40)
def test_what_was_recorded_later_was_not_known(lines: list[Consent], day: int) -> None:
    then = NOW + day * DAY

    known = consents_at(lines, then, known_at=then)

    earlier = [line for line in lines if line.recorded_at <= then]
    assert {(line.channel, line.topic): line.state for line in known} == model(earlier, day)
