"""Bodies that two parsers might read differently are refused before anything is made of them."""

import asyncio
import json

import pytest
from aiohttp import StreamReader
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.encoding import encode
from gateway.errors import InvalidRequest
from gateway.web.body import MAX_DEPTH, MAX_NODES, parse_json, read_body
from gateway.web.problems import RequestRefused
from gateway.web.serialization import fingerprint

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), inner)
    ),
    max_leaves=30,
)


@given(values)
def test_what_json_can_say_is_read_as_the_standard_parser_reads_it(value: object) -> None:
    raw = json.dumps(value).encode()

    assert parse_json(raw).value == json.loads(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"nul",
        b'{"a": 1,}',
        b'{"a": 1} x',
        b"{'a': 1}",
        b'"\xff\xfe"',
        b'"\xed\xa0\x80"',
        "\ufeff{}".encode(),
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'"tab\there"',
        b"9" * 5000,
    ],
    ids=lambda raw: repr(raw[:16]),
)
def test_what_is_no_json_is_malformed(raw: bytes) -> None:
    with pytest.raises(RequestRefused) as refused:
        parse_json(raw)

    assert refused.value.refusal_code == "malformed_json"


@pytest.mark.parametrize(
    ("raw", "pointer", "code"),
    [
        (b'{"a": ["x", "\\ud800"]}', "/a/1", "lone_surrogate"),
        (b'{"a~/": "\\uDFFF x"}', "/a~0~1", "lone_surrogate"),
        (b'{"\\ud83d": 1}', "", "lone_surrogate"),
        (b'{"a": "x\\u0000y"}', "/a", "nul_character"),
        (b'{"a": 9223372036854775808}', "/a", "number_too_large"),
        (b'{"a": -1e999}', "/a", "number_too_large"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "", "too_deep"),
    ],
)
def test_what_cannot_be_kept_exactly_is_refused_by_its_pointer(raw: bytes, pointer: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_json(raw)

    assert [(problem.pointer, problem.code) for problem in refused.value.problems] == [(pointer, code)]


names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)
colons = st.text(':"\\ax,', max_size=6)


@given(names, values, colons, st.booleans())
def test_a_member_that_stands_twice_is_refused_wherever_and_however_it_is_written(
    name: str, value: object, text: str, as_ascii: bool
) -> None:
    first, second = json.dumps({name: text}, ensure_ascii=as_ascii), json.dumps({name: value})
    raw = f"[{{{first[1:-1]},{second[1:-1]}}}]".encode()

    with pytest.raises(RequestRefused) as refused:
        parse_json(raw)

    assert refused.value.refusal_code == "malformed_json"


def test_a_surrogate_pair_is_one_character() -> None:
    assert parse_json(b'"\\ud83d\\ude00"').value == "😀"


def test_brackets_inside_strings_are_not_depth() -> None:
    text = "[{" * 500

    assert parse_json(encode([text, '"' + text])).value == [text, '"' + text]


@pytest.mark.parametrize("raw", [b"[" + b"0," * MAX_NODES + b"0]", b"[" * 100_000, b'[{"a":[]},' * 4_000])
def test_too_many_values_are_refused_without_reading_them_all(raw: bytes) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_json(raw)

    assert refused.value.problems[0].code in ("too_many_values", "too_deep")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"a": 1, "b": [1.0]}', b'{"b":[1],"a":1.0}'),
        (b'{"a": "\\u00e9"}', '{"a": "é"}'.encode()),
        (b'{"a": 1e2}', b'{"a": 100}'),
    ],
)
def test_bodies_compare_as_canonical_json(one: bytes, other: bytes) -> None:
    assert fingerprint(parse_json(one).canonical) == fingerprint(parse_json(other).canonical)


@pytest.mark.parametrize(
    ("one", "other"), [(b'{"a": 1}', b'{"a": "1"}'), (b"[1, 2]", b"[2, 1]"), (b'{"a": null}', b"{}"), (b"0.1", b"0.2")]
)
def test_different_bodies_have_different_fingerprints(one: bytes, other: bytes) -> None:
    assert fingerprint(parse_json(one).canonical) != fingerprint(parse_json(other).canonical)


async def test_a_caller_who_hung_up_before_the_body_was_read_is_no_error_of_ours() -> None:
    loop = asyncio.get_running_loop()
    body = StreamReader(BaseProtocol(loop), 2**16, loop=loop)
    body.feed_data(b"{}")
    body.feed_eof()
    body.set_exception(ConnectionResetError("Connection lost"))
    request = make_mocked_request("POST", "/", headers={"Content-Type": "application/json"}, payload=body)

    with pytest.raises(RequestRefused) as refused:
        await read_body(request, 1_000)

    assert refused.value.code == "bad_request"
